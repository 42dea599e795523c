"""False positive rate at a true positive rate of 95 %."""

import numpy as np

from nearnd.contracts import configured
from nearnd.metrics._checks import groups

LABEL = "fpr95 (positive: normal)"  # others call the anomaly so; the values differ by up to 0.44


@configured
def build(scores: np.ndarray, is_anomaly: np.ndarray, /) -> float:
    """FPR@95TPR in [0, 1], lower is better: the share of anomalies that are taken for normal when
    95 % of the normal images are.

    As in the out-of-distribution literature, *positive* means "accepted as normal". An image is
    accepted if score <= t; t is the smallest normal score that accepts at least 95 % of the normal
    images (ceil(0.95 N) of them, more if scores tie); the value is the share of anomalies with
    score <= t. t is read from the test images, so the number describes a method, not a threshold
    that could be used. ValueError if a group is empty.
    """
    normal, anomaly = groups(scores, is_anomaly)
    accepted = -(-95 * len(normal) // 100)  # ceil in whole numbers: 0.95 * N is not exact
    t = np.sort(normal)[accepted - 1]
    return float((anomaly <= t).mean())
