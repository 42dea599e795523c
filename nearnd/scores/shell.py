"""A head that tells normal features from outliers on a shell around them.

After Karzanov and Detyniecki (2026), "Geometrically Constrained Outlier Synthesis" (GCOS): normal
features are moved in directions in which they hardly vary, as far as the Mahalanobis distance lies
between two quantiles of held-out normal ones. The authors train a classifier's last layers with
such outliers and a contrastive loss; here the network stays frozen and a head learns to tell them.
"""

import numpy as np

from nearnd.contracts import Embedding, Score
from nearnd.jobs.quadratic_head import learnt
from nearnd.scores._features import in_chunks, pair
from nearnd.scores.gaussian import Gaussian

READS = ["features"]
RANGES = {
    "variance": (0.0, 1.0), "inner": (0.0, 1.0), "outer": (0.0, 1.0), "strength": (1e-6, 1e6),
}  # fmt: skip
HELD_OUT = 0.2  # share of the bank whose distances make the shell


def build(
    variance: float = 0.9,  # share of it in the directions that are left alone
    inner: float = 0.95,  # quantiles of the distance
    outer: float = 0.999,
    strength: float = 1.0,  # of the fit: scikit-learn's C
    feature: str = "features",
) -> Score:
    """score(x) = the head's logit of outlier minus normal; one outlier for each row of the bank."""
    if not 0 < variance < 1:
        raise ValueError(f"variance is {variance!r}; a shell takes a share between 0 and 1")
    if not 0 <= inner < outer <= 1:
        raise ValueError(
            f"inner is {inner!r}, outer {outer!r}; a shell takes 0 <= inner < outer <= 1"
        )

    def score(bank: Embedding, queries: Embedding, *, seed: int = 0) -> np.ndarray:
        b, x = pair(bank, queries, feature)
        fakes = outliers(b, variance, inner, outer, seed)
        head = learnt(b, fakes, strength=strength)
        return in_chunks(head.logit, x, 3 * b.shape[1])  # (N,)

    return score


def outliers(b: np.ndarray, variance: float, inner: float, outer: float, seed: int) -> np.ndarray:
    """(M, D): a row for each of the bank (M, D) whose squared Mahalanobis distance is one between
    two quantiles of rows that the Gaussian has not seen; where such a row of the bank is farther
    out than that, another one is moved in its place. ValueError for fewer than 10 rows."""
    if len(b) < 10:
        raise ValueError(f"a shell takes 10 normal training images at least, it got {len(b)}")
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(b))
    held, seen = np.split(order, [max(2, round(HELD_OUT * len(b)))])
    fitted = Gaussian(b[seen])
    low, high = np.quantile(fitted.squared(b[held].astype(np.float64)), [inner, outer])
    share = fitted.variance.cumsum() / (fitted.variance.sum())
    most = min(int(np.searchsorted(share, variance)) + 1, b.shape[1] - 1)  # one at least is free
    wide = fitted.directions[:most]  # (K, D)

    own = fitted.squared(b.astype(np.float64))  # (M,)
    inside = np.flatnonzero(own < low)
    rows = rng.choice(inside if len(inside) else np.array([own.argmin()]), len(b))
    start, own = b[rows].astype(np.float64), own[rows]
    v = rng.standard_normal(b.shape)
    v -= (v @ wide.T) @ wide
    v /= np.linalg.norm(v, axis=1, keepdims=True)  # (M, D), unit, where normal rows hardly vary

    # d^2(h + r v) = own + 2 c r + a r^2, which is solved for the r > 0 where it is the target
    a = fitted.squared(fitted.mean + v)  # (M,)
    c = (fitted.squared(start + v) - own - a) / 2  # (M,)
    target = np.maximum(rng.uniform(low, high, len(b)), own)
    r = (-c + np.sqrt(c**2 + a * (target - own))) / a  # (M,)
    return start + r[:, None] * v
