"""Another dataset's training images as outliers (outlier exposure)."""

from __future__ import annotations

import numpy as np


class Exposure:
    def draw(
        self, n: int, *, seed: int, normal: np.ndarray, others: np.ndarray
    ) -> tuple[np.ndarray, dict]:
        """n of the others (M, H, W, C), without repetition as long as there are enough."""
        rng = np.random.default_rng(seed)
        index = np.concatenate([rng.permutation(len(others)) for _ in range(-(-n // len(others)))])
        return np.asarray(others[np.sort(index[:n])]), {}


def build() -> Exposure:
    """Takes no arguments: the entry's `dataset` says which images."""
    return Exposure()
