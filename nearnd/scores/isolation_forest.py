"""Isolation forest (Liu, Ting and Zhou 2008): anomalies are cut off by few random splits."""

import numpy as np

from nearnd.contracts import Embedding, Score
from nearnd.scores._features import in_chunks, pair
from nearnd.scores._shallow import check_pca, prepared

READS = ["features"]


def build(
    n_estimators: int = 100,
    max_samples: int = 256,
    standardise: bool = False,
    pca: float | int | None = None,
    feature: str = "features",
) -> Score:
    """score(x) = 2 ** (-E[h(x)] / c) in (0, 1), with the mean depth E[h(x)] at which the trees
    isolate x and the mean depth c of a random binary tree.

    Each of `n_estimators` trees grows on `max_samples` images of the bank (all, if it has fewer).
    The trees depend on the seed. A contamination only moves a threshold, so there is none.
    `standardise`, `pca`: see _shallow.prepared; the first does not change this score.
    """
    check_pca(pca)

    def score(bank: Embedding, queries: Embedding, *, seed: int = 0) -> np.ndarray:
        from sklearn.ensemble import IsolationForest

        b, x = pair(bank, queries, feature)
        b, same = prepared(b, standardise, pca, seed)  # (M, P)
        few = min(max_samples, len(b))
        forest = IsolationForest(n_estimators=n_estimators, max_samples=few, random_state=seed)
        forest.fit(b)
        return in_chunks(lambda x: -forest.score_samples(same(x)), x, 3 * x.shape[1])  # (N,)

    return score
