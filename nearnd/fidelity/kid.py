"""Kernel distance: the unbiased alternative to the Fréchet distance for few images."""

import numpy as np

from nearnd.contracts import configured

LABEL = "KID"
UNIT = "kernel units"
DISTANCE = True
BUDGET = 1 << 26  # bytes of one block of the kernel matrix


@configured
def build(real: np.ndarray, fake: np.ndarray, /, degree: int = 3) -> float:
    """Squared maximum mean discrepancy with the kernel k(x, y) = (x.y / D + 1) ** degree ("KID" if
    the features are Inception's).

    Unbiased: 0 on average for two samples of the same law whatever their size, so single values can
    be negative. In units of the kernel; papers often print 1000 times this number. All pairs of
    images are used: papers average over random subsets of 1,000 to save time, which has the same
    expectation and more noise. Bińkowski et al. (2018), arXiv 1801.01401, eq. 4.
    """
    n, m = len(real), len(fake)
    if min(n, m) < 2:
        raise ValueError(f"KID needs two images or more, not {n} real and {m} fake")
    x, y = np.asarray(real, np.float64), np.asarray(fake, np.float64)  # (N, D), (M, D)
    within = _others(x, degree) / (n * (n - 1)) + _others(y, degree) / (m * (m - 1))
    return float(within - 2 * _total(x, y, degree) / (n * m))


def _total(x: np.ndarray, y: np.ndarray, degree: int) -> float:
    """The sum of k(x_i, y_j) over all pairs."""
    step = max(1, BUDGET // (8 * len(y)))
    blocks = (x[i : i + step] @ y.T for i in range(0, len(x), step))  # (n, M)
    return sum(float(((block / x.shape[1] + 1) ** degree).sum()) for block in blocks)


def _others(x: np.ndarray, degree: int) -> float:
    """The sum of k(x_i, x_j) over pairs of different images."""
    itself = (np.square(x).sum(axis=1) / x.shape[1] + 1) ** degree  # (N,)
    return _total(x, x, degree) - float(itself.sum())
