"""The inverse of a covariance, where there is one."""

import numpy as np


def whitening(covariance: np.ndarray) -> np.ndarray:
    """W (D, rank) with W W' the pseudo-inverse of a covariance (D, D)."""
    value, vector = np.linalg.eigh(covariance)  # (D,), (D, D)
    varies = value > len(value) * np.finfo(float).eps * value[-1]
    if not varies.any():
        raise ValueError(
            "the bank's features do not vary within any class: a Mahalanobis distance needs several"
            " different training images of a class, or of a cluster"
        )
    return vector[:, varies] / np.sqrt(value[varies])
