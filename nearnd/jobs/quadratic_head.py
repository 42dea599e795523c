"""A head that tells normal features from those of fakes: a logistic regression, in seconds.

It sees whitened features and their squares, so the Mahalanobis distance, usually the best score of
frozen features, is one of the answers it can give: fakes can teach it which directions count more.
What it says far from all it has seen grows with the distance, where a network's would be chance.
"""

from typing import NamedTuple

import numpy as np

STEPS = 1000  # of L-BFGS, at most


class QuadraticHead(NamedTuple):
    """float32 (D,), (D, D), (D,), (D,), (1,): with z = (x - mean) T the logit of fake is
    z a + z^2 q + c."""

    mean: np.ndarray
    T: np.ndarray
    a: np.ndarray
    q: np.ndarray
    c: np.ndarray

    def logit(self, x: np.ndarray) -> np.ndarray:
        """float64 (N,) of rows (N, D)."""
        z = (np.asarray(x, np.float64) - self.mean) @ self.T  # (N, D)
        return z @ self.a + z**2 @ self.q + self.c


def learnt(normal: np.ndarray, fake: np.ndarray, *, strength: float = 1.0) -> QuadraticHead:
    """Of rows (N, D) and (M, D); both kinds count alike, however many there are.

    z is whitened by the mean and Ledoit and Wolf's covariance of the normal rows. `strength` is
    scikit-learn's C. ValueError if it is not above 0, if there are no rows of one kind, or if the
    normal ones do not vary.
    """
    from sklearn.covariance import ledoit_wolf
    from sklearn.linear_model import LogisticRegression

    if not strength > 0:
        raise ValueError(
            f"strength is {strength!r}; a head takes a number above 0: change the entry"
        )
    if not len(normal) or not len(fake):
        raise ValueError(
            f"a head needs normal features and fake ones, it got {len(normal)} and {len(fake)}"
        )
    mean = normal.mean(0, np.float64)  # (D,)
    value, vector = np.linalg.eigh(ledoit_wolf(normal.astype(np.float64))[0])  # (D,), (D, D)
    if not value[-1] > 0:
        raise ValueError(f"the features of {len(normal)} normal images are all the same")
    T = vector / np.sqrt(np.maximum(value, 1e-12 * value[-1]))  # (D, D)
    z = (np.concatenate([normal, fake]) - mean) @ T  # (N + M, D)
    z = z.astype(np.float32)
    y = np.repeat([0, 1], [len(normal), len(fake)])
    model = LogisticRegression(C=strength, class_weight="balanced", max_iter=STEPS)
    model.fit(np.concatenate([z, z**2], 1), y)
    a, q = np.split(model.coef_[0], 2)
    parts = QuadraticHead(mean, T, a, q, model.intercept_)
    return QuadraticHead(*(np.asarray(part, np.float32) for part in parts))
