"""How little a network believes the right answers to questions about transformed images.

For detectors that embed "right", log p of the right answer (N, T, Q), after each of T
transformations to each of Q questions.
"""

from typing import Literal

import numpy as np

from nearnd.contracts import Embedding, Score
from nearnd.scores._features import matrix

READS = ["right"]
BANK = False


def build(of: Literal["log", "probability"] = "log", feature: str = "right") -> Score:
    """score(x) = minus the sum over transformations and questions of log p ("log"), or the sum of
    1 - p ("probability"): MHRot's score, and the simple one of GT. A network that is sure of all
    right answers gives 0, the least."""

    def score(bank: Embedding, queries: Embedding, *, seed: int = 0) -> np.ndarray:
        log_p = matrix(queries, feature, "query").astype(np.float64)  # (N, T Q)
        each = -log_p if of == "log" else -np.expm1(log_p)  # 1 - p without a loss of digits
        return each.sum(axis=1).astype(np.float32)  # (N,)

    return score
