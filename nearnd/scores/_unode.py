"""UNODE's sum: likeness to the nearest training image, and how sure a head is, in balance."""

import numpy as np

from nearnd.contracts import Embedding
from nearnd.scores._features import pair
from nearnd.scores._projections import alike

LEAST = 1e-12  # of a length that is divided by


def likeness(bank: Embedding, queries: Embedding, cosine: bool) -> np.ndarray:
    """max_m z(x) . z(m) / |z(m)| / C, float64 (N,), of "projections" (N, 1, d), with C the mean of
    |z(m)| over the bank; with `cosine` that over |z(x)|, a cosine over C."""
    b, x = pair(bank, queries, "projections")  # (M, d), (N, d)
    found = alike(b, x, 1)
    return found / np.linalg.norm(x, axis=1).clip(LEAST) if cosine else found


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Of logits (N, L), float64 (N, L)."""
    p = np.exp(logits - logits.max(1, keepdims=True), dtype=np.float64)
    return p / p.sum(1, keepdims=True)
