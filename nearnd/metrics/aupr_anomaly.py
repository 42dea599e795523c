"""Area under the precision-recall curve, anomaly as the positive class."""

import numpy as np

from nearnd.contracts import configured
from nearnd.metrics._checks import average_precision, groups


@configured
def build(scores: np.ndarray, is_anomaly: np.ndarray, /) -> float:
    """AUPR ("AUPR-out") in [0, 1]: average precision of calling images with a high score anomalies;
    chance is the share of anomalies in the test set. ValueError if a group is empty."""
    normal, anomaly = groups(scores, is_anomaly)
    return average_precision(anomaly, normal)
