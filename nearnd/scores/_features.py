"""The feature matrices of a bank and its queries, checked."""

import math
from collections.abc import Callable

import numpy as np

from nearnd.contracts import Embedding

BUDGET = 1 << 26  # bytes of one temporary array


def matrix(embedding: Embedding, feature: str, whose: str) -> np.ndarray:
    """The array `feature` as (N, D); more axes are flattened.

    ValueError if the embedding has no such array or if a value is not finite.
    """
    if feature not in embedding:
        raise ValueError(f"the {whose} has no {feature!r}; it has {sorted(embedding)}")
    array = embedding[feature]
    array = array.reshape(len(array), math.prod(array.shape[1:]))  # (N, D)
    finite = sum(
        np.isfinite(array[i : i + 1024]).all(axis=1).sum() for i in range(0, len(array), 1024)
    )
    if finite < len(array):
        raise ValueError(
            f"{len(array) - finite} of {len(array)} {whose} rows of {feature!r} are not finite;"
            " see the log of the detector's training"
        )
    return array


def pair(bank: Embedding, queries: Embedding, feature: str) -> tuple[np.ndarray, np.ndarray]:
    """The matrices (M, D) of the bank and (N, D) of the queries; ValueError unless D is the same
    and the bank has a row."""
    b, x = matrix(bank, feature, "bank"), matrix(queries, feature, "query")
    if b.shape[1] != x.shape[1]:
        raise ValueError(f"bank has {b.shape[1]} features per image, queries {x.shape[1]}")
    if not len(b):
        raise ValueError("the bank is empty: the task has no normal training images")
    return b, x


def in_chunks(function: Callable, x: np.ndarray, width: int, dtype=np.float32) -> np.ndarray:
    """(N, ...): what `function` makes of x, called with few rows at a time, float64 (n, D).

    `width` is how many float64 numbers the function keeps for each of its rows.
    """
    n = max(1, min(1024, BUDGET // (8 * width)))
    parts = [
        function(np.asarray(x[i : i + n], np.float64)).astype(dtype) for i in range(0, len(x), n)
    ]
    return np.concatenate(parts) if parts else np.zeros(0, dtype)
