"""Closed-set accuracy: how often a known image is taken for its class."""

import numpy as np

from nearnd.contracts import Metric
from nearnd.metrics._checks import groups

LABEL = "closed-set accuracy"


def build() -> Metric:
    """See `closed_accuracy`."""
    return closed_accuracy


def closed_accuracy(
    scores: np.ndarray, is_anomaly: np.ndarray, *, classes: np.ndarray, predicted: np.ndarray
) -> float:
    """The share in [0, 1] of normal images whose predicted class str (N,) is their own; none is
    rejected, and anomalies and scores do not count. ValueError if a group is empty."""
    groups(scores, is_anomaly)
    normal = ~np.asarray(is_anomaly, bool)
    return float((classes == predicted)[normal].mean())
