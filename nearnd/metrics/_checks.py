"""What metrics share: a check of their input, and average precision."""

import numpy as np


def groups(scores: np.ndarray, is_anomaly: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The scores of the normal images and those of the anomalies, float64.

    ValueError if lengths differ, a score is NaN, or a group is empty.
    """
    scores = np.asarray(scores, np.float64)
    is_anomaly = np.asarray(is_anomaly, bool)
    if scores.ndim != 1 or scores.shape != is_anomaly.shape:
        raise ValueError(
            f"a metric needs one score and one label per image, not scores {scores.shape} and"
            f" labels {is_anomaly.shape}"
        )
    if bad := int(np.isnan(scores).sum()):
        raise ValueError(f"{bad} of {len(scores)} scores are NaN; see the log of the score's job")
    normal, anomaly = scores[~is_anomaly], scores[is_anomaly]
    if not len(normal) or not len(anomaly):
        raise ValueError(
            f"a metric needs normal images and anomalies; the test set has {len(normal)} normal"
            f" images and {len(anomaly)} anomalies"
        )
    return normal, anomaly


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
