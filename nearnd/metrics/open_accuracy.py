"""Open-set accuracy: how often the answer is right, "none of them" being one answer more."""

import numpy as np

from nearnd.contracts import Metric
from nearnd.metrics._open_set import answered

LABEL = "open-set accuracy"
RANGES = {"accepted": (0.001, 1)}


def build(accepted: float = 0.95) -> Metric:
    """The share in [0, 1] of all images for which an open-set classifier is right: known ones that
    are accepted and taken for their class, unknown ones that are rejected. See `answered` for
    `accepted`. It depends on the share of unknown images: see `base_rate`.
    """

    def open_accuracy(
        scores: np.ndarray, is_anomaly: np.ndarray, *, classes: np.ndarray, predicted: np.ndarray
    ) -> float:
        found = answered(scores, is_anomaly, classes, predicted, accepted)
        return float((found.right == found.said).mean())

    return open_accuracy
