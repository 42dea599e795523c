"""How certain an AUROC is, from its value and the two numbers of images alone."""

import math

Z = 1.959964  # of a normal distribution, 95 %


def interval(auroc: float, n_normal: int, n_anomaly: int) -> tuple[float, float]:
    """The 95 % interval of the AUROC over other images of the same kinds.

    Newcombe (2006), method 5: the values that lie Z standard errors of their own from what was
    measured, with Hanley and McNeil's error for two groups of equal mean size. Unlike a bootstrap
    it has a width where all anomalies lie above all normal images. nan if a group is empty.
    """
    if not n_normal or not n_anomaly or math.isnan(auroc):
        return math.nan, math.nan
    from scipy.optimize import brentq  # which takes longer to load than most tables to make

    size = (n_normal + n_anomaly) / 2

    def error(a: float) -> float:
        spread = 1 + (size - 1) * ((1 - a) / (2 - a) + a / (1 + a))
        return Z * math.sqrt(a * (1 - a) * spread / (n_normal * n_anomaly))

    near = 1e-12  # at 0 and 1 the error is 0, which is no end of the interval
    low = brentq(lambda a: auroc - a - error(a), 0, min(auroc, 1 - near)) if auroc > 0 else 0.0
    high = brentq(lambda a: a - auroc - error(a), max(auroc, near), 1) if auroc < 1 else 1.0
    return low, high
