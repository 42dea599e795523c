"""Average precision, shared by the two AUPR metrics."""

import numpy as np


def average_precision(positive: np.ndarray, negative: np.ndarray) -> float:
    """sum_t (R_t - R_(t-1)) P_t over the distinct thresholds t from the highest score down.

    Images of equal score pass a threshold together. No interpolation, because straight lines
    between points of a precision-recall curve are too optimistic (Davis & Goadrich, 2006).
    """
    t = np.unique(np.concatenate([positive, negative]))[::-1]  # (T,) from high to low
    tp = len(positive) - np.searchsorted(np.sort(positive), t)  # (T,) positives at or above t
    fp = len(negative) - np.searchsorted(np.sort(negative), t)  # (T,)
    recall_gain = np.diff(tp, prepend=0) / len(positive)  # (T,)
    return float(np.sum(recall_gain * tp / (tp + fp)))
