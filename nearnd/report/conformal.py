"""What held-out normal images promise for new ones: p-values, false alarms, lists of discoveries.

Conformal prediction. Nothing is assumed but that new normal images are drawn as the held-out ones
were. Bates, Candès, Lei, Romano, Sesia (2023), "Testing for outliers with conformal p-values".
"""

import math
from typing import NamedTuple

import numpy as np

RANGE = (0.05, 0.95)  # between which nine draws of held-out images in ten lie
FEWEST, SURE = (
    20,
    0.001,
)  # images of a batch that may tell of a drift, and how unlikely it has to be


class Decision(NamedTuple):
    """When an image is called anomalous."""

    alpha: float = 50  # false alarms among 1,000 new normal images, at most
    delta: float | None = None  # the chance that this does not hold with these held-out images;
    # None: it holds on average over draws of held-out images
    fdr: float | None = None  # in place of alpha: the share of false alarms among what is called
    # anomalous in one batch, on average at most

    def check(self) -> "Decision":
        """Itself, or ValueError for a number that cannot be."""
        for name, most in (("alpha", 1000), ("delta", 1), ("fdr", 1)):
            value = getattr(self, name)
            if value is not None and not 0 < value < most:
                raise ValueError(f"{name} is {value:g}; it may be a number between 0 and {most}")
        return self


def p_values(held_out: np.ndarray, scores: np.ndarray, delta: float | None = None) -> np.ndarray:
    """Float (N,) in (0, 1]: the share of held-out scores that are at least as high, the image
    itself counted among them. Of new normal images, a share of at most p has one of at most p: on
    average over draws of held-out images, or for these ones with probability 1 - delta."""
    n = len(held_out)
    above = n - np.searchsorted(np.sort(held_out), scores)  # (N,) 0 to n
    return steps(n, delta)[above]


def steps(n: int, delta: float | None = None) -> np.ndarray:
    """The p-values (n + 1,) that n held-out images can give, rising: where 0, 1, ... n of them
    score at least as high as the new image.

    With delta they are calibration-conditional by Simes' inequality with k = n / 2 (Bates et al.,
    section 4.2): all of them hold at once with probability 1 - delta.
    """
    if delta is None:
        return np.arange(1, n + 2) / (n + 1)
    from scipy.special import gammaln

    k, i = max(n // 2, 1), np.arange(n, 0, -1)  # (n,)
    with np.errstate(divide="ignore", invalid="ignore"):
        falling = gammaln(i + 1) - gammaln(i - k + 1) - (gammaln(n + 1) - gammaln(n - k + 1))
    falling = np.where(i >= k, falling, -np.inf)  # log of i (i-1) ... (i-k+1) / n (n-1) ...
    return np.append(1 - np.exp((math.log(delta) + falling) / k), 1.0)  # (n + 1,)


def anomalous(p: np.ndarray, decision: Decision) -> np.ndarray:
    """Bool (N,): which images are called anomalous, of p-values (N,) without NaN.

    With `fdr` by Benjamini and Hochberg, whose promise holds for conformal p-values.
    """
    if decision.fdr is None:
        return p <= decision.alpha / 1000 + 1e-12
    if not len(p):
        return np.zeros(0, bool)
    from scipy.stats import false_discovery_control

    return false_discovery_control(p) <= decision.fdr + 1e-12


def threshold(held_out: np.ndarray, decision: Decision) -> float:
    """The score that an image must exceed to be anomalous by `alpha`: the highest of those that do
    not; infinity if n is too small for such a promise."""
    rank = int((steps(len(held_out), decision.delta) <= decision.alpha / 1000 + 1e-12).sum())
    return float(np.sort(held_out)[-rank]) if rank else math.inf


def promise(held_out: np.ndarray, decision: Decision) -> str:
    """The decision in words, and how far it holds."""
    n, alpha, delta = len(held_out), decision.alpha, decision.delta
    p = steps(n, delta)
    if decision.fdr is not None:
        return (
            f"of the images called anomalous in one batch {100 * decision.fdr:.3g} % are false"
            f" alarms on average at most; with {n} held-out normal images no p-value is below"
            f" {p[0]:.2g}, so of 100 images {_least(p[0], 100, decision.fdr)}"
        )
    limit = threshold(held_out, decision)
    if limit == math.inf:
        return (
            f"no image can be above the threshold: {n} held-out normal images are too few for"
            f" {alpha:g} false alarms in 1,000, which takes {fewest(alpha, delta)}. More normal"
            f" images that are held out would help, or --alpha {math.ceil(1000 * p[0] - 1e-9)}"
        )
    words = f"threshold {limit:.6g}: of 1,000 new normal images {alpha:g} at most are above it"
    if delta is not None:
        return f"{words}, which holds for these {n} held-out ones with probability {1 - delta:g}"
    from scipy.special import betaincinv  # scipy.stats takes 0.4 s of processor time to load

    rank = n + 1 - int((p <= alpha / 1000 + 1e-12).sum())
    low, high = 1000 * betaincinv(n + 1 - rank, rank, RANGE)  # above, over draws of held-out ones
    return (
        f"{words}, on average over draws of the held-out ones; with these {n} it is"
        f" {low:.0f} to {high:.0f} in nine of ten cases; with --delta 0.1 it would hold for these"
    )


def drift(held_out: np.ndarray, scores: np.ndarray) -> str:
    """Words if a batch as a whole no longer looks like the held-out images, else "".

    Two-sample Kolmogorov-Smirnov test at SURE, of FEWEST images or more.
    """
    if min(len(scores), len(held_out)) < FEWEST:
        return ""
    from scipy.stats import ks_2samp

    p = ks_2samp(held_out, scores).pvalue
    if p >= SURE:
        return ""
    where = "above" if np.median(scores) > np.median(held_out) else "below"
    share = np.mean(scores > held_out.max())
    return (
        f"these images as a whole do not score as the held-out normal ones did (Kolmogorov-Smirnov"
        f" p = {p:.1g}, the median lies {where} theirs, {share:.0%} score higher than all of them)."
        " Either many are anomalous, or light, camera or cut have changed; then p-values do not"
        " hold, and the model should be fitted again"
    )


def _least(p: float, m: int, fdr: float) -> str:
    """How many of m images must have the smallest p-value for any to be called anomalous."""
    least = math.ceil(m * p / fdr - 1e-9)
    if least > m:
        return "none can be called so"
    return f"at least {least} have to score higher than all of these, or none is called so"


def fewest(alpha: float, delta: float | None = None) -> int:
    """The fewest held-out images with which any can be called anomalous."""
    low, high = 0, 1
    while steps(high, delta)[0] > alpha / 1000 + 1e-12:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (
            (low, middle) if steps(middle, delta)[0] <= alpha / 1000 + 1e-12 else (middle, high)
        )
    return high
