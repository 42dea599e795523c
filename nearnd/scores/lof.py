"""Local outlier factor (Breunig et al. 2000): density at an image against its neighbours'."""

import numpy as np

from nearnd.contracts import Embedding, Score
from nearnd.scores._features import in_chunks, pair
from nearnd.scores._shallow import check_pca, distinct, prepared

READS = ["features"]


def build(
    n_neighbors: int = 20,
    standardise: bool = False,
    pca: float | int | None = None,
    feature: str = "features",
) -> Score:
    """score(x) = LOF(x): the mean reachability density of the `n_neighbors` nearest bank images
    over that of x. About 1 where x lies as densely as they do, larger where it lies less so.

    The densities are those among the bank's images, whatever the queries. Images that repeat
    another one are left out (_shallow.distinct): next to those that come more than `n_neighbors`
    times every image would be an anomaly, for they have no distance. `standardise`, `pca`: see
    _shallow.prepared. ValueError for a bank of `n_neighbors` different images or fewer.
    """
    check_pca(pca)

    def score(bank: Embedding, queries: Embedding, *, seed: int = 0) -> np.ndarray:
        from sklearn.neighbors import LocalOutlierFactor

        b, x = pair(bank, queries, feature)
        b, same = prepared(b, standardise, pca, seed)  # (M, P)
        b = distinct(b)
        if len(b) <= n_neighbors:
            raise ValueError(
                f"n_neighbors is {n_neighbors}, but the bank has only {len(b)} different images:"
                " choose fewer in the config's scores, or more normal training images"
            )
        factor = LocalOutlierFactor(n_neighbors=n_neighbors, novelty=True).fit(b)
        width = 3 * max(len(b), x.shape[1])
        return in_chunks(lambda x: -factor.score_samples(same(x)), x, width)  # (N,)

    return score
