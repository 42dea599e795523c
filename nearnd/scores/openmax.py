"""OpenMax: a softmax with one more class, for what is far from the classes it knows.

Bendale and Boult, "Towards Open Set Deep Networks", CVPR 2016. The activation vectors are the
logits, as there. Distances are Euclidean; the paper's code adds the cosine distance.

The tail is fitted as the authors' library does it: moved so that its smallest distance is at
10,000, then a Weibull law with two parameters. Own code because pytorch-ood 0.4 takes distance 0 to
every class that no image of a batch is assigned to, so that scores would depend on the others, and
because scipy.stats.weibull_min.fit does not find the maximum where the tail is short beside 10,000:
W was off by up to 0.004 for distances of about 1, by 0.75 for distances of about 0.01.
"""

import numpy as np

from nearnd.contracts import Embedding, Score
from nearnd.scores._logits import logits_of

READS = ["logits"]
ORIGIN = 10_000.0  # where the smallest distance of the tail is put (the authors' library, libMR)


def build(tail: int = 20, alpha: int = 3, feature: str = "logits") -> Score:
    """score(x) = probability of the unknown class, in [0, 1] (algorithm 2 of the paper).

    For each class, a Weibull law W_c is fitted to the `tail` largest distances between its mean and
    the logits of its training images, both of those only that are classified correctly. The `alpha`
    classes with the largest logits v_c keep v_c (1 - w_c W_c(|v - mu_c|)), where w is 1, 2/3, 1/3
    by rank for alpha 3; what they lose adds up to the logit of the unknown class. A bank that
    lacks a class, or a class with fewer than two different distances, is a ValueError.
    """
    if tail < 2 or alpha < 1:
        raise ValueError(f"openmax: tail is {tail}, at least 2; alpha is {alpha}, at least 1")

    def score(bank: Embedding, queries: Embedding, *, seed: int = 0) -> np.ndarray:
        from scipy.special import softmax

        known = logits_of(bank, feature, "bank")  # (M, K)
        # a classifier of some of a dataset's classes numbers its logits in the same way
        classes, label = np.unique(bank["label"], return_inverse=True)  # (K,), (M,)
        if len(classes) != known.shape[1]:
            raise ValueError(
                f"the bank has images of {len(classes)} classes, its logits are of"
                f" {known.shape[1]}: take bank: full in the method's entry"
            )
        right = known.argmax(axis=1) == label
        v = logits_of(queries, feature)  # (N, K)
        outside = np.empty_like(v)  # W_c(|v - mu_c|)
        for c, name in enumerate(classes):
            own = known[right & (label == c)]  # (m, K)
            if len(own) < 2:
                raise ValueError(
                    f"{len(own)} of {(label == c).sum()} training images with label {name} are"
                    " classified correctly, openmax needs two: train the classifier for longer"
                )
            mean = own.mean(axis=0)
            law = weibull_tail(np.linalg.norm(own - mean, axis=1), tail)
            outside[:, c] = law(np.linalg.norm(v - mean, axis=1))
        a = min(alpha, v.shape[1])
        rank = np.argsort(np.argsort(-v, axis=1, kind="stable"), axis=1)  # (N, K), 0 for the top
        weight = np.clip(1 - rank / a, 0, None)  # (N, K): 1, (a - 1) / a, ..., 0
        lost = v * weight * outside  # (N, K)
        revised = np.c_[v - lost, lost.sum(axis=1)]  # (N, K + 1)
        return softmax(revised, axis=1)[:, -1].astype(np.float32)  # (N,)

    return score


def weibull_tail(distances: np.ndarray, tail: int):
    """W, a function from distances (N,) to [0, 1]: the Weibull distribution function that is most
    likely for the `tail` largest of `distances` (M,). ValueError if these are all the same."""
    from scipy.optimize import brentq

    largest = np.sort(distances)[-tail:]
    low, spread = largest[0], largest.std()
    if spread <= 1e-9 * largest[-1]:
        raise ValueError(
            f"the {len(largest)} largest distances of a class to its mean are all {low:g}: openmax"
            " needs different training images"
        )

    def moved(d: np.ndarray) -> np.ndarray:
        """log(x / ORIGIN) of the moved distances x, in a unit in which it is about d / spread."""
        return np.log1p(np.maximum((d - low) / ORIGIN, -1 + 1e-12)) * (ORIGIN / spread)

    u = moved(largest)
    top = u.max()

    def slope(k: float) -> float:
        """Minus the derivative of the mean log-likelihood by the shape, k = shape spread / ORIGIN;
        the scale is the most likely one for that shape."""
        e = np.exp(k * (u - top))
        return (e * u).sum() / e.sum() - u.mean() - 1 / k

    k = brentq(slope, 1e-3, 1e3 * len(u))  # rises from below 0 to max(u) - mean(u)
    scale = top + np.log(np.exp(k * (u - top)).mean()) / k

    def law(d: np.ndarray) -> np.ndarray:
        return -np.expm1(-np.exp(np.minimum(k * (moved(d) - scale), 50.0)))

    return law
