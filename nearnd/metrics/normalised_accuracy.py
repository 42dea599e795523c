"""Normalised accuracy: known and unknown images count so much each, however many there are."""

import numpy as np

from nearnd.contracts import Metric
from nearnd.metrics._open_set import UNKNOWN, answered

LABEL = "normalised accuracy"
RANGES = {"accepted": (0.001, 1), "share": (0, 1)}


def build(accepted: float = 0.95, share: float = 0.5) -> Metric:
    """share * AKS + (1 - share) * AUS in [0, 1] (Mendes Junior et al., "Nearest neighbors distance
    ratio open-set classifier", 2017).

    AKS: the share of known images that are accepted and taken for their class; AUS: the share of
    unknown ones that are rejected. See `answered` for `accepted`.
    """

    def normalised_accuracy(
        scores: np.ndarray, is_anomaly: np.ndarray, *, classes: np.ndarray, predicted: np.ndarray
    ) -> float:
        found = answered(scores, is_anomaly, classes, predicted, accepted)
        right, unknown = found.right == found.said, found.right == UNKNOWN
        return float(share * right[~unknown].mean() + (1 - share) * right[unknown].mean())

    return normalised_accuracy
