"""Maximum logit: the size of a classifier's strongest answer, before the softmax."""

import numpy as np

from nearnd.contracts import Embedding, Score
from nearnd.scores._logits import logits_of

READS = ["logits"]
BANK = False


def build(feature: str = "logits") -> Score:
    """score(x) = -max_k f_k(x) (Hendrycks et al., "Scaling Out-of-Distribution Detection", 2022).

    `feature` names the logits f, (N, K). ValueError for fewer than two classes.
    """

    def score(bank: Embedding, queries: Embedding, *, seed: int = 0) -> np.ndarray:
        return -logits_of(queries, feature).max(axis=1).astype(np.float32)  # (N,)

    return score
