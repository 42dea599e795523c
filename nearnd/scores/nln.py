"""NLN: how unlike its nearest neighbours' reconstructions an image is, and how far their codes are.

Stephenson et al., "Improving Novelty Detection using the Reconstructions of Nearest Neighbours".
For detectors that embed "latent" z (N, L), "image" x and "decoded" g(z), both (N, H, W, C).
"""

from typing import Literal

import numpy as np

from nearnd.contracts import Embedding, Score
from nearnd.jobs.neighbours import nearest
from nearnd.scores._features import BUDGET, matrix, pair

READS = ["latent", "image", "decoded"]
MAP = True
RANGES = {"alpha": [0, 1]}
ROWS = 5000  # of a bank, evenly picked, by which terms are scaled


def build(
    k: int = 2,  # the authors choose it, L and alpha by test AUROC for each set
    alpha: float = 0.6,  # of the error; the released code has this one where it has one alone
    query: str = "image",
    neighbour: str = "decoded",
    distance: Literal["l2", "l1"] = "l2",  # as in the code; "l1" is the paper's formula
    scaling: Literal["train", "test"] = "train",
) -> Score:
    """score(x) = alpha mean_j e(x, j) / E + (1 - alpha) mean_j d(x, j) / D.

    j: the `k` images of the bank whose codes are nearest to that of x.
    e: mean absolute difference of the array `query` of x and the array `neighbour` of j: pixels
    against a reconstruction, or vectors of a critic or of a second encoder, for detectors that have
    these. d: Euclidean distance of the codes, or with "l1" their mean absolute difference. E and D
    are the means of both over images of the bank, each with its neighbours among the others, so
    that no image's score depends on the other ones. `scaling` "test" is the released code's: both
    terms from 0 to 1 over the queries. The map is |x - g(z_j)|, its mean over j and channels.
    ValueError for a bank of `k` images or fewer.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha is {alpha!r}; an nln score takes a share from 0 to 1")

    def score(bank: Embedding, queries: Embedding, *, seed: int = 0) -> Embedding:
        codes, z = pair(bank, queries, "latent")  # (M, L), (N, L)
        if len(codes) <= k:
            raise ValueError(
                f"k is {k}, but the bank has only {len(codes)} images, and each needs so many"
                " others: choose a smaller k in the config's scores, or more normal images"
            )
        x, other = matrix(queries, query, "query"), matrix(bank, neighbour, "bank")
        if x.shape[1] != other.shape[1]:
            raise ValueError(
                f"{query!r} has {x.shape[1]} numbers for an image, {neighbour!r} {other.shape[1]}:"
                " name two arrays that can be compared in the config's scores"
            )
        near = nearest(codes, z, k)[1]  # (N, k)
        terms = error_of(x, other, near), distance_of(z, codes, near, distance)
        if scaling == "test":
            scaled = [_to_one(term) for term in terms]
        else:
            rows = np.unique(np.linspace(0, len(codes) - 1, ROWS).astype(int))
            own = others_of(codes, rows, k)  # (R, k)
            known = matrix(bank, query, "bank")[rows]
            means = error_of(known, other, own), distance_of(codes[rows], codes, own, distance)
            # a term that is 0 on the whole bank has no scale, and keeps its own
            scaled = [t / (m.mean() or 1.0) for t, m in zip(terms, means, strict=True)]
        whole = alpha * scaled[0] + (1 - alpha) * scaled[1]
        return {"score": whole.astype(np.float32), "map": map_of(queries, bank, near)}

    return score


def others_of(codes: np.ndarray, rows: np.ndarray, k: int) -> np.ndarray:
    """The `k` nearest of all codes (M, L) to those of `rows` (R,), but for itself, (R, k)."""
    near = nearest(codes, codes[rows], k + 1)[1]  # (R, k + 1)
    itself = near == rows[:, None]
    itself[~itself.any(1), k] = True  # among many equal ones it need not be found
    return near[~itself].reshape(len(rows), k)


def distance_of(z: np.ndarray, codes: np.ndarray, near: np.ndarray, kind: str) -> np.ndarray:
    """The mean distance (N,), float64, of codes (N, L) to their neighbours."""
    away = z[:, None].astype(np.float64) - codes[near]  # (N, k, L)
    if kind == "l1":
        return np.abs(away).mean((1, 2))
    return np.sqrt(np.square(away).sum(2)).mean(1)


def error_of(x: np.ndarray, other: np.ndarray, near: np.ndarray) -> np.ndarray:
    """mean |x - other[near]|, (N,), of vectors (N, D) and (M, D)."""
    return _by_chunks(lambda rows: _apart(x, other, near, rows).mean(1), near, x.shape[1])


def map_of(queries: Embedding, bank: Embedding, near: np.ndarray) -> np.ndarray:
    """mean |image - decoded[near]|, (N, H, W)."""
    shape = queries["image"].shape[1:]  # (H, W, C)
    x, other = matrix(queries, "image", "query"), matrix(bank, "decoded", "bank")

    def some(rows: slice) -> np.ndarray:
        return _apart(x, other, near, rows).reshape(-1, *shape).mean(3)

    return _by_chunks(some, near, x.shape[1], shape[:2]).astype(np.float32)


def _apart(x: np.ndarray, other: np.ndarray, near: np.ndarray, rows: slice) -> np.ndarray:
    """The mean over neighbours of |x - other|, (n, D) of some rows."""
    total = np.zeros((len(near[rows]), x.shape[1]))
    for column in near[rows].T:
        total += np.abs(x[rows].astype(np.float64) - other[column])
    return total / near.shape[1]


def _by_chunks(function, near: np.ndarray, width: int, shape: tuple = ()) -> np.ndarray:
    """float64 (N, *shape), of few rows at a time."""
    found = np.empty((len(near), *shape))
    n = max(1, BUDGET // (32 * width))
    for i in range(0, len(near), n):
        found[i : i + n] = function(slice(i, i + n))
    return found


def _to_one(term: np.ndarray) -> np.ndarray:
    """From 0 to 1 over all queries."""
    low, high = (term.min(), term.max()) if len(term) else (0.0, 0.0)
    return (term - low) / ((high - low) or 1.0)
