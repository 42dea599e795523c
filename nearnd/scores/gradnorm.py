"""GradNorm: how much the last layer would have to change for the answer to be undecided.

Huang et al., "On the Importance of Gradients for Detecting Distributional Shifts in the Wild",
NeurIPS 2021.
"""

import numpy as np

from nearnd.contracts import Embedding, Score
from nearnd.scores._features import matrix
from nearnd.scores._logits import logits_of

READS = ["features", "logits"]
BANK = False


def build(temperature: float = 1.0) -> Score:
    """score(x) = -|dKL(u || softmax(f / T)) / dW|_1, of the weights W (K, D) of the linear layer
    that makes the logits f of the features h; u is uniform over the K classes.

    The gradient is (softmax - u) h' / T, so that its norm is |h|_1 |softmax - u|_1 / T: no network
    is asked. T = 1 is the paper's. ValueError for fewer than two classes.
    """

    def score(bank: Embedding, queries: Embedding, *, seed: int = 0) -> np.ndarray:
        from scipy.special import softmax

        f = logits_of(queries, "logits")  # (N, K)
        h = matrix(queries, "features", "query")  # (N, D)
        away = np.abs(softmax(f / temperature, axis=1) - 1 / f.shape[1]).sum(axis=1)  # (N,)
        length = np.abs(h).sum(axis=1, dtype=np.float64)  # (N,)
        return (-length * away / temperature).astype(np.float32)  # (N,)

    return score
