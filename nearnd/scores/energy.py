"""Free energy of a classifier's logits."""

import numpy as np

from nearnd.contracts import Embedding, Score
from nearnd.scores._logits import logits_of

READS = ["logits"]
BANK = False


def build(feature: str = "logits", temperature: float = 1.0) -> Score:
    """score(x) = -T log sum_k exp(f_k(x) / T), eq. 4 of Liu et al., "Energy-based
    Out-of-distribution Detection", 2020, where T = 1.

    `feature` names the logits f, (N, K); "react" are those after ReAct, of the `classifier`.
    ValueError for fewer than two classes.
    """

    def score(bank: Embedding, queries: Embedding, *, seed: int = 0) -> np.ndarray:
        from scipy.special import logsumexp

        f = logits_of(queries, feature)  # (N, K)
        return (-temperature * logsumexp(f / temperature, axis=1)).astype(np.float32)  # (N,)

    return score
