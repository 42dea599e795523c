"""What every metric asks of its input."""

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
