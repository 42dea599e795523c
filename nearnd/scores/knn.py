"""Distance to the nearest normal training images."""

from typing import Literal

import numpy as np

from nearnd.contracts import Embedding, Score
from nearnd.jobs.neighbours import nearest
from nearnd.scores._features import matrix, pair

READS = ["features"]


def build(
    k: int = 2,  # FITYMI, after DN2
    distance: Literal["l2", "cosine"] = "l2",  # FITYMI eq. 3; "cosine" is the variant of MSAD
    feature: str = "features",
    power: float = 2,  # FITYMI eq. 3: squared distances, summed and not averaged
    take: Literal["sum", "last"] = "sum",  # "last": the k-th alone (Sun et al. 2022, OpenOOD)
) -> Score:
    """score(x) = sum over the k nearest bank features b of d(x, b) ** power (FITYMI eq. 3).

    distance "l2": d = |x - b|. "cosine": the same between features scaled to length 1, so that with
    power 2 one term is 2 (1 - cos). take "last": the term of the k-th nearest alone. `feature`
    names the array (N, D) of the embedding; arrays with more axes are flattened. Raises ValueError
    for a bank of fewer than k rows, a name that the embedding does not have, or features that are
    not finite.
    """

    def score(bank: Embedding, queries: Embedding, *, seed: int = 0) -> np.ndarray:
        b, x = pair(bank, queries, feature)
        if len(b) < k:
            raise ValueError(
                f"k is {k}, but the bank has only {len(b)} images: choose a smaller k in the"
                " config's scores, or more normal training images"
            )
        if distance == "cosine":
            b, x = _unit(b), _unit(x)
        squared, _ = nearest(b, x, k)  # (N, k), rising
        squared = squared[:, -1:] if take == "last" else squared
        return (squared ** (power / 2)).sum(axis=1).astype(np.float32)  # (N,)

    return score


def graph(bank: Embedding, *, k: int, distance: str, feature: str, power: float, **rest):
    """See contracts.py."""
    import torch
    from torch.nn import functional as F

    from nearnd.networks.nearest import Nearest

    rows = torch.from_numpy(np.array(matrix(bank, feature, "bank"), np.float32))  # (M, D)
    near = Nearest(F.normalize(rows, dim=1) if distance == "cosine" else rows, k)

    def of(arrays):
        x = arrays[feature].flatten(1)  # (n, D)
        x = F.normalize(x, dim=1) if distance == "cosine" else x
        return {"score": (near(x) ** (power / 2)).sum(1)}  # (n,)

    return of


def _unit(array: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1; a row of zeros stays one."""
    length = np.linalg.norm(array.astype(np.float64), axis=1, keepdims=True)  # (N, 1)
    return array / np.where(length > 0, length, 1)  # (N, D)
