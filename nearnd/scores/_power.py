"""Features scaled by a power of their lengths, and which power makes them most like a Gaussian."""

import logging
from collections.abc import Callable

import numpy as np

# Below 1, where directions are all that is left and no density of features is one of lengths too.
# Negative ones pull long features farther out.
POWERS = (-1.0, -0.5, 0.0, 0.25, 0.5, 0.75, 0.9)
ROWS, FOLDS = 1000, 2  # of a larger bank so many rows decide
log = logging.getLogger("nearnd")


def scaled(x: np.ndarray, power: float) -> np.ndarray:
    """x / |x|^power float64 of rows (N, D); a row of zeros stays one."""
    x = np.asarray(x, np.float64)
    length = np.linalg.norm(x, axis=1, keepdims=True)  # (N, 1)
    return x / np.where(length > 0, length, 1) ** power  # (N, D)


def chosen(b: np.ndarray, fit: Callable) -> float:
    """The power under which rows of the bank (M, D) are most likely that the Gaussian has not seen.

    Normal images alone decide. With y = x / |x|^p Gaussian, x has the density N(y) |dy/dx|, and
    |dy/dx| = |1 - p| |x|^(-p D): as with Box and Cox the last factor makes densities of different
    powers comparable. The authors of the score choose by other signs of normal features, which need
    several classes. `fit(rows)` is a `gaussian.Gaussian`. With fewer than 8 rows it is 0.
    """
    rows = b[np.linspace(0, len(b) - 1, min(len(b), ROWS)).astype(int)]  # (m, D), evenly picked
    length = np.linalg.norm(rows.astype(np.float64), axis=1)
    rows, length = rows[length > 0], length[length > 0]
    if len(rows) < 8:
        return 0.0
    fold, d = np.arange(len(rows)) % FOLDS, rows.shape[1]
    best = {}
    for p in POWERS:
        y, total = scaled(rows, p), 0.0
        for f in range(FOLDS):
            own = fit(y[fold != f])
            away, out = own.squared(y[fold == f]), np.log(length[fold == f])
            total += (-(away + own.log_volume()) / 2 - p * d * out + np.log(1 - p)).sum()
        best[p] = total / len(rows)
    power = max(best, key=best.get)
    known = ", ".join(f"{p:g}: {value - best[0.0]:+.1f}" for p, value in best.items())
    log.info(f"power of the norm: {power:g} (log density of a held-out image against 0: {known})")
    return power
