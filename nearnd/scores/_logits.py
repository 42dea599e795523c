"""Logits out of an embedding, checked."""

import numpy as np

from nearnd.contracts import Embedding


def logits_of(embedding: Embedding, feature: str, whose: str = "query") -> np.ndarray:
    """The logits float64 (N, K) called `feature`; ValueError unless they are finite and K > 1."""
    if feature not in embedding:
        raise ValueError(f"the {whose} has no {feature!r}; it has {sorted(embedding)}")
    logits = embedding[feature]
    if logits.ndim != 2 or logits.shape[1] < 2:
        raise ValueError(
            f"{feature!r} has shape {logits.shape}; scores of a classifier read logits (N, K) of at"
            " least two classes: set `feature` in the score's entry"
        )
    if not np.isfinite(logits).all():
        raise ValueError(
            f"{feature!r} of a {whose} is not finite; see the log of the detector's training"
        )
    return logits.astype(np.float64)
