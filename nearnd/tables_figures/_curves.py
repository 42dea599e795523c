"""Points of ROC curves."""

from __future__ import annotations

import numpy as np


def roc(scores: np.ndarray, is_anomaly: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False alarms (T,) and anomalies found (T,), shares from (0, 0) to (1, 1), one point per
    distinct score; the area under straight lines between them is the AUROC with ties half."""
    normal, anomaly = np.sort(scores[~is_anomaly]), np.sort(scores[is_anomaly])
    t = np.unique(scores)[::-1]  # (T,) from high to low
    false = 1 - np.searchsorted(normal, t) / len(normal)
    found = 1 - np.searchsorted(anomaly, t) / len(anomaly)
    return np.concatenate([[0.0], false]), np.concatenate([[0.0], found])


def mean_roc(curves: list[tuple[np.ndarray, np.ndarray]], grid: np.ndarray) -> np.ndarray:
    """Anomalies found at the false alarms of `grid`, averaged over curves (vertical averaging)."""
    found = []
    for x, y in curves:
        top = np.append(np.diff(x) > 0, True)  # where a curve climbs at one x, the top of the climb
        found.append(np.interp(grid, x[top], y[top]))
    return np.mean(found, axis=0)  # (G,)


def area(curve: tuple[np.ndarray, np.ndarray]) -> float:
    return float(np.trapezoid(curve[1], curve[0]))
