"""The answers of an open-set classifier: a known class, or none of them."""

from typing import NamedTuple

import numpy as np

from nearnd.metrics._checks import groups

UNKNOWN = ""  # no class is called so


class Answers(NamedTuple):
    """What is right and what was said, str (N,): a known class or UNKNOWN."""

    right: np.ndarray
    said: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """The known classes among the images."""
        return np.unique(self.right[self.right != UNKNOWN])

    def counts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For each known class how many images are rightly taken for it, how many others wrongly,
        and how many of its own are not: int (K,) each. Unknown images are no class here, but one
        that is accepted is wrong, and so is a known one that is rejected."""
        hit = self.right == self.said
        tp, fp, fn = (
            np.array([int((mask & (whose == c)).sum()) for c in self.known])
            for mask, whose in ((hit, self.said), (~hit, self.said), (~hit, self.right))
        )
        return tp, fp, fn


def answered(
    scores: np.ndarray,
    is_anomaly: np.ndarray,
    classes: np.ndarray,
    predicted: np.ndarray,
    accepted: float,
) -> Answers:
    """Images with a score of at most t are taken for their predicted class, the others for unknown.

    t is the smallest score of a known image that accepts a share of at least `accepted` of the
    known ones; as in fpr95 it is read from the test images, but from no anomaly. ValueError if
    there are no known or no unknown images.
    """
    normal, _ = groups(scores, is_anomaly)
    count = int(np.ceil(round(accepted * len(normal), 9)))
    t = np.sort(normal)[max(1, count) - 1]
    right = np.where(is_anomaly, UNKNOWN, classes)
    return Answers(right, np.where(np.asarray(scores, np.float64) > t, UNKNOWN, predicted))


def harmonic(p: float, r: float) -> float:
    """F of precision and recall; 0 where both are."""
    return float(2 * p * r / (p + r)) if p + r else 0.0


def share(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a / (a + b), 0 where both are 0."""
    return a / np.maximum(a + b, 1)
