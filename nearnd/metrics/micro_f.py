"""Micro-averaged open-set F-measure."""

import numpy as np

from nearnd.contracts import Metric
from nearnd.metrics._open_set import answered, harmonic, share

LABEL = "micro F (known classes)"
RANGES = {"accepted": (0.001, 1)}


def build(accepted: float = 0.95) -> Metric:
    """F in [0, 1] of precision and recall, each of the sums over the known classes (Mendes Junior
    et al. 2017): an unknown image that is accepted costs precision, a known one that is rejected
    recall; an unknown one that is rejected is no hit. See `answered` for `accepted`.
    """

    def micro_f(
        scores: np.ndarray, is_anomaly: np.ndarray, *, classes: np.ndarray, predicted: np.ndarray
    ) -> float:
        tp, fp, fn = answered(scores, is_anomaly, classes, predicted, accepted).counts()
        return harmonic(share(tp.sum(), fp.sum()), share(tp.sum(), fn.sum()))

    return micro_f
