"""The share of anomalies in a test set: what AUPR is by chance."""

import numpy as np

from nearnd.contracts import configured
from nearnd.metrics._checks import groups

LABEL = "share of anomalies (AUPR by chance)"


@configured
def build(scores: np.ndarray, is_anomaly: np.ndarray, /) -> float:
    """Anomalies / images, in [0, 1]: the AUPR (anomaly) of a score that knows nothing; two AUPRs
    can be compared where it is the same. ValueError if a group is empty."""
    normal, anomaly = groups(scores, is_anomaly)
    return len(anomaly) / (len(normal) + len(anomaly))
