"""What counts as normal in a task: a class, `not-<class>`, or `all`."""

from __future__ import annotations

import numpy as np


def is_normal(classes: np.ndarray, normal: str) -> np.ndarray:
    """Which images are normal, bool (N,), from their class names (N,)."""
    classes = np.asarray(classes)
    if normal == "all":
        return np.ones(len(classes), bool)
    if normal.startswith("not-"):
        return classes != normal.removeprefix("not-")
    return classes == normal
