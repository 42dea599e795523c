"""Area under the ROC curve."""

import numpy as np

from nearnd.contracts import Metric
from nearnd.metrics._checks import groups


def build() -> Metric:
    """AUROC with anomaly as the positive class, in [0, 1]; 0.5 is chance."""
    return auroc


def auroc(scores: np.ndarray, is_anomaly: np.ndarray) -> float:
    """The chance that a random anomaly scores higher than a random normal image; ties count half.

    scores (N,), higher = more anomalous; is_anomaly bool (N,). ValueError if a group is empty.
    Computed from counts of smaller and equal scores (the Mann-Whitney statistic), so no threshold
    is chosen and no curve is interpolated.
    """
    normal, anomaly = groups(scores, is_anomaly)
    normal = np.sort(normal)
    below = np.searchsorted(normal, anomaly, "left")  # (A,) normal images with a smaller score
    upto = np.searchsorted(normal, anomaly, "right")  # (A,) ... with a smaller or equal one
    return float((below + upto).sum() / (2 * len(normal) * len(anomaly)))
