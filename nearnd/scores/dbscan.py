"""DBSCAN as a score: how far an image is from the dense part of the normal images.

Ester et al. 1996. Their clusters say in or out; a new point is in one where it is no further than
the radius from a core point, a point with enough others about it. Here the distance is the score.
"""

import numpy as np

from nearnd.contracts import Embedding, Score
from nearnd.jobs.neighbours import nearest
from nearnd.scores._features import pair
from nearnd.scores._shallow import check_pca, distinct, prepared

READS = ["features"]
RANGES = {"min_samples": (1, 1_000_000)}


def build(
    min_samples: int = 5,  # scikit-learn's, the image itself counted
    share: float = 0.9,  # of the bank's images that are core points: sets the radius
    standardise: bool = False,
    pca: float | int | None = None,
    feature: str = "features",
) -> Score:
    """score(x) = the distance from x to the nearest core point of the bank, over the radius: DBSCAN
    calls x noise above 1.

    The radius is the least one at which a `share` of the bank's images have `min_samples` images
    within it, themselves counted; no anomaly is read. Images that repeat another one are left out
    (_shallow.distinct). `standardise`, `pca`: see _shallow.prepared. ValueError for a bank of fewer
    than `min_samples` different images.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share is {share!r}; a dbscan score takes a share above 0, at most 1")
    check_pca(pca)

    def score(bank: Embedding, queries: Embedding, *, seed: int = 0) -> np.ndarray:
        b, x = pair(bank, queries, feature)
        b, same = prepared(b, standardise, pca, seed)  # (M, P)
        b = distinct(b)
        if len(b) < min_samples:
            raise ValueError(
                f"min_samples is {min_samples}, but the bank has only {len(b)} different images:"
                " choose fewer in the config's scores, or more normal training images"
            )
        enough = np.sqrt(nearest(b, b, min_samples)[0][:, -1])  # (M,) radius to be a core point
        # a little more, so that rounding leaves no core point out
        radius = (1 + 1e-6) * float(np.quantile(enough, share, method="higher")) or 1.0
        core = b[
            enough <= radius
        ]  # (K, P); scikit-learn's DBSCAN lists all pairs within the radius
        away = nearest(core, same(np.asarray(x, np.float64)), 1)[0][:, 0]  # (N,)
        return (np.sqrt(away) / radius).astype(np.float32)

    return score
