"""SSD: Mahalanobis distance to the nearest of a few clusters, each with a covariance of its own.

Sehwag et al., "SSD: A Unified Framework for Self-Supervised Outlier Detection", ICLR 2021, as in
the official code. There features are scaled to length 1 first, which the contrastive detectors do.
"""

from typing import Literal

import numpy as np

from nearnd.contracts import Embedding, Score
from nearnd.scores._covariance import whitening
from nearnd.scores._features import in_chunks, pair

READS = ["features"]
RANGES = {"clusters": (1, 10_000)}


def build(clusters: int | Literal["classes"] = 1, feature: str = "features") -> Score:
    """score(x) = min_c (h - mu_c)' S_c^-1 (h - mu_c), squared and not halved, in float64.

    clusters: of the bank's features, found by k-means (the authors use 1); "classes": the bank's
    own ("label"). S_c is divided by the number of rows; in directions in which the bank does not
    vary the inverse is 0, so that with no more images than features much of what is unlike them is
    not seen: `kind: gaussian` shrinks its covariance instead. ValueError for features that are not
    finite, or that do not vary within a cluster.
    """

    def score(bank: Embedding, queries: Embedding, *, seed: int = 0) -> np.ndarray:
        h, x = pair(bank, queries, feature)  # (M, D), (N, D)
        mean, spread = h.mean(0, dtype=np.float64), h.std(0, dtype=np.float64)  # (D,)
        spread = np.where(spread > 0, spread, 1)  # features on one scale, for k-means
        h = (h - mean) / spread
        best = np.full(len(x), np.inf)
        for cluster in _clusters(h, bank, clusters, seed):
            centre = cluster.mean(0)  # (D,)
            w = whitening(np.cov((cluster - centre).T, bias=True).reshape(2 * [h.shape[1]]))

            def squared(q: np.ndarray, centre=centre, w=w) -> np.ndarray:
                return np.square(((q - mean) / spread - centre) @ w).sum(1)  # (n,)

            best = np.minimum(best, in_chunks(squared, x, 2 * x.shape[1], np.float64))
        return best.astype(np.float32)  # (N,)

    return score


def _clusters(h: np.ndarray, bank: Embedding, clusters, seed: int) -> list[np.ndarray]:
    """The rows of h (M, D) in groups."""
    if clusters == "classes":
        group = bank["label"]
    elif clusters == 1:
        return [h]
    else:
        from sklearn.cluster import KMeans

        if len(h) < clusters:
            raise ValueError(
                f"clusters is {clusters}, but the bank has only {len(h)} images: choose fewer in"
                " the config's scores"
            )
        group = KMeans(clusters, n_init=1, random_state=seed % 2**32).fit(h).labels_  # (M,)
    return [h[group == c] for c in np.unique(group)]
