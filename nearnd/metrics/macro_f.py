"""Macro-averaged open-set F-measure."""

import numpy as np

from nearnd.contracts import Metric
from nearnd.metrics._open_set import answered, harmonic, share

LABEL = "macro F (known classes)"
RANGES = {"accepted": (0.001, 1)}


def build(accepted: float = 0.95) -> Metric:
    """F in [0, 1] of the means over the known classes of precision and of recall (Mendes Junior et
    al. 2017), not the mean of the classes' F. What counts how: see `micro_f`.
    """

    def macro_f(
        scores: np.ndarray, is_anomaly: np.ndarray, *, classes: np.ndarray, predicted: np.ndarray
    ) -> float:
        tp, fp, fn = answered(scores, is_anomaly, classes, predicted, accepted).counts()
        return harmonic(share(tp, fp).mean(), share(tp, fn).mean())

    return macro_f
