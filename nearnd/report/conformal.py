"""What held-out normal images promise for new ones: p-values, thresholds (split conformal
prediction). Nothing is assumed but that new normal images are drawn as the held-out ones were."""

import math

import numpy as np

RANGE = (0.05, 0.95)  # between which nine draws of held-out images in ten lie


def p_values(held_out: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Float (N,) in (0, 1]: the share of held-out scores that are at least as high, the image
    itself counted among them. Of new normal images, a share of at most p has one of at most p."""
    above = len(held_out) - np.searchsorted(np.sort(held_out), scores)  # (N,)
    return (1 + above) / (1 + len(held_out))


def threshold(held_out: np.ndarray, quantile: float) -> float:
    """The score that a new normal image exceeds with probability at most 1 - quantile.

    The ceil((n + 1) quantile)-th smallest of n exchangeable scores; infinity if n is too small for
    such a promise.
    """
    rank = _rank(len(held_out), quantile)
    return float(np.sort(held_out)[rank - 1]) if rank <= len(held_out) else math.inf


def promise(held_out: np.ndarray, quantile: float) -> str:
    """The threshold in words, and how far it holds."""
    n, rank = len(held_out), _rank(len(held_out), quantile)
    if rank > n:
        most = math.floor(1000 * n / (n + 1)) / 1000
        return (
            f"no image can be above the threshold: {n} held-out normal images are too few for the"
            f" quantile {quantile:g}, which takes {_needed(quantile)}. More normal images in the"
            f" test split would help, or --quantile {most:g}"
        )
    from scipy.stats import beta

    low, high = beta.ppf(RANGE, n + 1 - rank, rank)  # of the share above, over draws of held-out
    return (
        f"threshold {threshold(held_out, quantile):.6g}: {100 * (1 - quantile):.3g} % of new normal"
        " images at most are above it, on average over draws of the held-out ones; with these"
        f" {n} it is {low:.1%} to {high:.1%} in nine of ten cases"
    )


def _rank(n: int, quantile: float) -> int:
    if not 0 < quantile < 1:
        raise ValueError(f"quantile is {quantile}; it may be a number between 0 and 1")
    return math.ceil((n + 1) * quantile - 1e-9)


def _needed(quantile: float) -> int:
    """The fewest images with a threshold: n with _rank(n) <= n."""
    return math.ceil(quantile / (1 - quantile) - 1e-9)
