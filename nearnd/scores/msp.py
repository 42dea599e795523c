"""Maximum softmax probability: how sure a classifier is of its answer."""

import numpy as np

from nearnd.contracts import Embedding, Score
from nearnd.scores._logits import logits_of

READS = ["logits"]
BANK = False


def build(feature: str = "logits", temperature: float = 1.0) -> Score:
    """score(x) = 1 - max_k softmax_k(f(x) / T), in [0, 1 - 1/K]; T = 1 is that of Hendrycks and
    Gimpel, "A Baseline for Detecting ...", ICLR 2017.

    `feature` names the logits f, (N, K). ValueError for fewer than two classes.
    """

    def score(bank: Embedding, queries: Embedding, *, seed: int = 0) -> np.ndarray:
        from scipy.special import softmax

        p = softmax(logits_of(queries, feature) / temperature, axis=1)  # (N, K)
        # The sum of the others, not 1 - max: confident images would all be rounded to 0
        return np.sort(p, axis=1)[:, :-1].sum(axis=1).astype(np.float32)  # (N,)

    return score
