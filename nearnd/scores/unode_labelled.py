"""UNODE's score with labels: how alike a training image an image is, and how sure its class is.

For detectors that embed "projections" z (N, 1, d) and "logits" (N, classes). The paper puts the
highest probability (MSP) in the place of the probability of "normal"; see `unode`.
"""

import numpy as np

from nearnd.contracts import Embedding, Score
from nearnd.scores._features import pair
from nearnd.scores._unode import likeness, probabilities

READS = ["projections", "logits"]


def build(cosine: bool = False) -> Score:
    """score(x) = -(max_m z(x) . z(m) / |z(m)| / C + p(x) / P), m over the bank, p the probability
    of the likeliest class, and C and P the means of |z(m)| and p(m). cosine: see `unode`."""

    def score(bank: Embedding, queries: Embedding, *, seed: int = 0) -> np.ndarray:
        sure, f = pair(bank, queries, "logits")  # (M, classes), (N, classes)
        p, mean = probabilities(f).max(1), probabilities(sure).max(1).mean()
        return (-likeness(bank, queries, cosine) - p / mean).astype(np.float32)  # (N,)

    return score
