"""How certain AUROCs are over other images, and whether those of two methods can be told apart.

DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44, 837-845: an AUROC is a mean over images, so
its variance is that of what each image adds, and methods that saw the same images have a
covariance. Computed by midranks in O(N log N): Sun & Xu (2014), IEEE Signal Processing Letters 21,
1389-1393. Only the order of scores counts: they come here as they are, neither clipped nor scaled.

No SciPy, whose statistics take longer to load than most tables to make.
"""

import math

import numpy as np

from nearnd.report.interval import Z

ALPHA = 0.05

_erfc = np.vectorize(math.erfc, otypes=[float])


def midranks(values: np.ndarray) -> np.ndarray:
    """Ranks 1 to N along the last axis of (..., N); equal values share the mean of theirs."""
    order = np.argsort(values, axis=-1)
    inside = np.take_along_axis(values, order, -1)
    starts = np.ones(values.shape, bool)  # of a run of equal values
    starts[..., 1:] = inside[..., 1:] != inside[..., :-1]
    ends = np.ones(values.shape, bool)
    ends[..., :-1] = starts[..., 1:]
    place = np.arange(values.shape[-1])
    first = np.maximum.accumulate(np.where(starts, place, 0), -1)
    last = np.where(ends, place, place.size)[..., ::-1]
    last = np.minimum.accumulate(last, -1)[..., ::-1]
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, (first + last) / 2 + 1, -1)
    return ranks


def components(scores: np.ndarray, is_anomaly: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The AUROC (...,) of each row of scores, and the part (..., N) that each image has in its
    error, such that `parts @ parts.T` is DeLong's covariance of the AUROCs.

    scores (..., N), higher = more anomalous; is_anomaly bool (N,). Parts are nan where a group has
    one image, which says nothing of others. ValueError if a group is empty or a score is NaN.
    """
    scores, is_anomaly = np.asarray(scores, np.float64), np.asarray(is_anomaly, bool)
    m, n = int(is_anomaly.sum()), int((~is_anomaly).sum())
    if not m or not n or np.isnan(scores).any():
        raise ValueError(f"{n} normal images and {m} anomalies, or a score that is NaN")
    ranks = midranks(scores)
    below = (
        ranks[..., is_anomaly] - midranks(scores[..., is_anomaly])
    ) / n  # (..., m) V10: share of normal images below
    above = (
        1 - (ranks[..., ~is_anomaly] - midranks(scores[..., ~is_anomaly])) / m
    )  # (..., n) V01: of anomalies above
    auroc = below.mean(-1)
    parts = np.empty_like(scores)
    with np.errstate(invalid="ignore"):
        parts[..., is_anomaly] = (below - auroc[..., None]) / math.sqrt(m * (m - 1) or math.nan)
        parts[..., ~is_anomaly] = (above - auroc[..., None]) / math.sqrt(n * (n - 1) or math.nan)
    return auroc, parts


def p_value(difference: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Of no difference, two-sided, from differences and their standard errors; 1 for none at all,
    nan where the error is not known."""
    difference, error = np.asarray(difference), np.asarray(error)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = _erfc(np.abs(difference / error) / math.sqrt(2))
    return np.where(difference == 0, 1.0, p)


def compare(a: np.ndarray, b: np.ndarray, is_anomaly: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """AUROC of a minus AUROC of b on the same images, and p: the paired test of DeLong.

    a, b (..., N) scores of two methods, is_anomaly bool (N,).
    """
    (auroc, parts), (other, others) = components(a, is_anomaly), components(b, is_anomaly)
    difference = auroc - other
    return difference, p_value(difference, np.linalg.norm(parts - others, axis=-1))


def holm(p: np.ndarray) -> np.ndarray:
    """p values (K,) of K comparisons, so that all are right together (Holm, 1979); nan stays."""
    p = np.asarray(p, float)
    order = np.argsort(np.where(np.isnan(p), np.inf, p))
    left = np.arange(len(p), 0, -1)  # comparisons that are not decided yet
    found = np.empty_like(p)
    found[order] = np.minimum(1, np.fmax.accumulate(p[order] * left)) if len(p) else p
    return np.where(np.isnan(p), np.nan, found)


def against(auroc: np.ndarray, parts: np.ndarray, best: int) -> tuple[np.ndarray, np.ndarray]:
    """How far each of K methods is below number `best` (K,), and p (K,), by Holm's method over the
    K - 1 comparisons; that of `best` itself is nan. auroc (K,) and parts (K, N): `components`, or
    means of them over tasks that share their images."""
    difference = auroc[best] - auroc
    p = p_value(difference, np.linalg.norm(parts[best] - parts, axis=-1))
    p[best] = np.nan
    p[np.arange(len(p)) != best] = holm(p[np.arange(len(p)) != best])
    return difference, p


def ties(auroc: np.ndarray, parts: np.ndarray, best: int, alpha: float = ALPHA) -> np.ndarray:
    """bool (K,): which methods these images do not show to be worse than number `best`, itself one
    of them. What cannot be tested, as with one normal image, is not shown."""
    difference, p = against(auroc, parts, best)
    return ~((p < alpha) & (difference > 0))


def interval(auroc: float, error: float) -> tuple[float, float]:
    """The 95 % interval of an AUROC with that standard error, on the logit scale, so that it stays
    between 0 and 1; nan for an AUROC of 0 or 1, whose error DeLong's method does not see."""
    if not 0 < auroc < 1 or math.isnan(error):
        return math.nan, math.nan
    odds, width = auroc / (1 - auroc), math.exp(Z * error / (auroc * (1 - auroc)))
    return odds / (odds + width), odds * width / (odds * width + 1)
