"""How undecided a network is about transformed images, whatever is right.

E3Outlier (Wang et al., NeurIPS 2019), its negative entropy.
"""

import numpy as np

from nearnd.contracts import Embedding, Score
from nearnd.scores._features import BUDGET, matrix

READS = ["log_p"]
BANK = False


def build(feature: str = "log_p") -> Score:
    """score(x) = the mean over transformations t of -sum_k p_tk log p_tk, in nats, of log p (N, T,
    K)."""

    def score(bank: Embedding, queries: Embedding, *, seed: int = 0) -> np.ndarray:
        log_p = matrix(queries, feature, "query")  # (N, T K)
        transformations = queries[feature].shape[1]
        n = max(1, BUDGET // (8 * max(1, log_p.shape[1])))
        total = np.zeros(len(log_p))
        for i in range(0, len(log_p), n):
            some = log_p[i : i + n].astype(np.float64)
            total[i : i + n] = -(np.exp(some) * some).sum(axis=1)
        return (total / transformations).astype(np.float32)  # (N,)

    return score
