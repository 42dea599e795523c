"""Mahalanobis distance to a Gaussian fitted to the normal features."""

from typing import Literal

import numpy as np

from nearnd.contracts import Embedding, Score
from nearnd.scores._features import in_chunks, matrix, pair
from nearnd.scores._power import chosen, scaled

READS = ["features"]
RANGES = {"power": (-10, 10)}


def build(
    covariance: Literal["ledoit_wolf", "empirical"] = "ledoit_wolf",
    feature: str = "features",
    power: float | Literal["chosen"] = 0,
) -> Score:
    """score(x) = (x - m)' S^-1 (x - m), in float64, with mean m and covariance S of the bank.

    power b: of features scaled by their lengths, x / |x|^b (Janiak et al. 2025, "A Geometry-Based
    View of Mahalanobis OOD Detection"): 1 is length 1, 0 changes nothing; "chosen": that under
    which held-out rows of the bank are most likely (_power.py).

    covariance "ledoit_wolf": S = (1 - a) C + a (tr C / D) I with the sample covariance C and the
    shrinkage a of Ledoit and Wolf (2004), as scikit-learn computes it: also for fewer images than
    features. "empirical": S = C, the maximum likelihood; ValueError where C has no inverse, since
    a pseudo-inverse would score what leaves the span of the bank as normal.

    S is never formed: memory is that of the bank and of min(M, D) directions of length D.
    """

    def score(bank: Embedding, queries: Embedding, *, seed: int = 0) -> np.ndarray:
        b, x = pair(bank, queries, feature)
        fitted, power_ = _fitted(b, covariance, power)

        def mahalanobis(x: np.ndarray) -> np.ndarray:
            return fitted.squared(scaled(x, power_) if power_ else x)

        return in_chunks(mahalanobis, x, 4 * b.shape[1])  # (N,)

    return score


def graph(bank: Embedding, *, covariance: str, feature: str, power: float | str, **rest):
    """See contracts.py."""
    import torch

    fitted, power = _fitted(matrix(bank, feature, "bank"), covariance, power)
    mean, directions, variance = (
        torch.from_numpy(np.asarray(a)) for a in (fitted.mean, fitted.directions, fitted.variance)
    )  # (D,), (K, D), (K,) float64
    whole = len(directions) == len(mean)

    def of(arrays):
        x = arrays[feature].flatten(1).double()  # (n, D)
        if power:
            length = x.norm(dim=1, keepdim=True)  # (n, 1)
            x = x / torch.where(length > 0, length, 1) ** power
        x = x - mean
        along = x @ directions.T  # (n, K)
        squared = (along.square() / variance).sum(1)  # (n,)
        if not whole:
            squared = squared + (x - along @ directions).square().sum(1) / float(fitted.rest)
        return {"score": squared.float()}

    return of


def _fitted(b: np.ndarray, covariance: str, power: float | str) -> tuple["Gaussian", float]:
    """The Gaussian of the bank's rows (M, D), scaled by a power of their lengths; that power."""
    power = chosen(b, Gaussian) if power == "chosen" else power
    return Gaussian(scaled(b, power) if power else b, covariance), power


class Gaussian:
    """That of the rows (M, D)."""

    def __init__(self, rows: np.ndarray, covariance: str = "ledoit_wolf"):
        self.mean, self.directions, self.variance, self.rest = _fit(rows, covariance)

    def squared(self, x: np.ndarray) -> np.ndarray:
        """The squared Mahalanobis distances (n,) of rows (n, D)."""
        x = x - self.mean  # (n, D)
        along = x @ self.directions.T  # (n, K)
        squared = (np.square(along) / self.variance).sum(axis=1)  # (n,)
        if len(self.directions) < x.shape[1]:  # what no direction of the bank explains
            squared += np.square(x - along @ self.directions).sum(axis=1) / self.rest
        return squared

    def log_volume(self) -> float:
        """log det S."""
        k, d = self.directions.shape
        beside = (d - k) * np.log(self.rest) if k < d else 0.0
        return float(np.log(self.variance).sum() + beside)


def _fit(b: np.ndarray, covariance: str):
    """Mean (D,), principal directions (K, D), the variances along them (K,), and the variance in
    every other direction."""
    from sklearn.covariance import ledoit_wolf_shrinkage

    mean = b.mean(axis=0, dtype=np.float64)  # (D,)
    centred = b - mean  # (M, D) float64
    m, d = centred.shape
    total = np.square(centred).sum() / m  # tr C
    shrinkage = 0.0
    if covariance == "ledoit_wolf" and total > 0:
        shrinkage = float(ledoit_wolf_shrinkage(centred, assume_centered=True))
    _, s, directions = np.linalg.svd(np.linalg.qr(centred, mode="r"), full_matrices=False)
    rest = shrinkage * total / d
    variance = (1 - shrinkage) * np.square(s) / m + rest  # (K,) eigenvalues of S
    smallest = min(variance.min(), rest) if len(variance) < d else variance.min()
    if smallest <= variance.max() * max(m, d) * np.finfo(np.float64).eps:
        raise ValueError(
            f"the {covariance} covariance of {m} images with {d} features has no inverse: set"
            " `covariance: ledoit_wolf` in the config's scores, or take more, and more different,"
            " normal training images"
        )
    return mean, directions, variance, rest
