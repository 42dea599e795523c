"""Area under the precision-recall curve, anomaly as the positive class."""

import numpy as np

from nearnd.contracts import Metric
from nearnd.metrics._checks import average_precision, groups


def build() -> Metric:
    """AUPR ("AUPR-out") in [0, 1]; chance is the share of anomalies in the test set."""
    return aupr_anomaly


def aupr_anomaly(scores: np.ndarray, is_anomaly: np.ndarray) -> float:
    """Average precision of calling images with a high score anomalies. ValueError if a group is
    empty."""
    normal, anomaly = groups(scores, is_anomaly)
    return average_precision(anomaly, normal)
