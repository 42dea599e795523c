"""UNODE's score: how alike a training image an image is, and how surely it is not hard-augmented.

For detectors that embed "projections" z (N, 1, d) and "hard_logits" f (N, 2), of normal and of
hard-augmented. Mirzaei et al., CVPR 2024, section 3.3.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from nearnd.contracts import Embedding, Score
from nearnd.scores._features import pair
from nearnd.scores._unode import likeness, probabilities

READS = ["projections", "hard_logits"]
PARTS = ("similarity", "certainty")
NORMAL, HARDENED = 0, 1


def build(
    parts: Sequence[Literal["similarity", "certainty"]] = PARTS,
    of: Literal["probability", "logit"] = "probability",
    cosine: bool = False,
) -> Score:
    """score(x) = -(max_m z(x) . z(m) / |z(m)| / C + p(x) / P), m over the bank.

    p is the head's probability of "normal", and the balance is the bank's: C the mean of |z(m)|, P
    that of p(m). This is the paper's O_sim + (C / P) p over C, with the length of z(x) kept in
    O_sim as the released code does; `cosine: true` takes it out, as the paper writes O_sim (its
    balance then makes the head's part C times larger).

    of: "logit" is the released code's second term, the logit of "hard-augmented" over its mean on
    the bank, which has the right sign only where that mean is negative: else ValueError.
    parts: both terms or one; "certainty", the head's, alone gives the difference of the logits, of
    the same order as p without its ties.
    """
    if not parts:
        raise ValueError(f"parts is {parts!r}; unode takes one or both of {list(PARTS)}")

    def score(bank: Embedding, queries: Embedding, *, seed: int = 0) -> np.ndarray:
        sure, f = pair(bank, queries, "hard_logits")  # (M, 2), (N, 2)
        if list(parts) == ["certainty"]:
            return (f[:, HARDENED] - f[:, NORMAL]).astype(np.float32)  # (N,)
        total = likeness(bank, queries, cosine)  # (N,)
        if "certainty" in parts:
            total += _balanced(sure, f, of)
        return (-total).astype(np.float32)  # (N,)

    return score


def _balanced(sure: np.ndarray, f: np.ndarray, of: str) -> np.ndarray:
    """The head's part (N,) of logits f (N, 2), over its mean on the bank's (M, 2)."""
    if of == "probability":
        return probabilities(f)[:, NORMAL] / probabilities(sure)[:, NORMAL].mean().clip(1e-12)
    mean = sure[:, HARDENED].mean(dtype=np.float64)
    if not mean < 0:
        raise ValueError(
            "the detector takes its own training images for hard-augmented (mean logit"
            f" {mean:.3g}), so that dividing by it would turn the sign: train it longer, or set"
            " `of: probability` in the score's entry"
        )
    return f[:, HARDENED] / mean
