"""Area under the precision-recall curve, normal as the positive class."""

import numpy as np

from nearnd.contracts import Metric
from nearnd.metrics._checks import average_precision, groups


def build() -> Metric:
    """AUPR ("AUPR-in") in [0, 1]; chance is the share of normal images in the test set."""
    return aupr_normal


def aupr_normal(scores: np.ndarray, is_anomaly: np.ndarray) -> float:
    """Average precision of calling images with a low score normal. ValueError if a group is
    empty."""
    normal, anomaly = groups(scores, is_anomaly)
    return average_precision(-normal, -anomaly)
