"""What is taken of a set: which images train and which test where the source does not say, which
classes are normal, which corruptions are tested."""

import logging
from collections.abc import Sequence

import numpy as np

SEVERITIES = [1, 2, 3, 4, 5]
log = logging.getLogger("nearnd")


def stratified(labels: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two sorted, disjoint index arrays that together cover `labels`: `share` of each class, rest.

    Of a class with n images, round(share * n) go to the first part, but at least one to each
    part. How one class is cut depends on its own size, its label and the seed only. ValueError
    for a share outside (0, 1) or a class with fewer than two images.
    """
    if not 0 < share < 1:
        raise ValueError(f"the share of training images is {share}, it must lie between 0 and 1")
    first, second = [], []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        if len(rows) < 2:
            raise ValueError(f"class {label} has {len(rows)} image, two parts need at least 2")
        n = min(max(round(share * len(rows)), 1), len(rows) - 1)
        rows = np.random.default_rng([seed, int(label)]).permutation(rows)
        first.append(rows[:n])
        second.append(rows[n:])
    log.info(f"cut at {share:.0%} of each class with seed {seed}")
    return np.sort(np.concatenate(first)), np.sort(np.concatenate(second))


def grouped(
    labels: np.ndarray, groups: list[str], share: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """As `stratified`, but images of one group land on one side: near `share` of all images first.

    ValueError where a class would lie on one side only.
    """
    if not 0 < share < 1:
        raise ValueError(f"the share of training images is {share}, it must lie between 0 and 1")
    of = np.unique(groups, return_inverse=True)[1].ravel()  # (N,)
    order = np.random.default_rng(seed).permutation(of.max() + 1)
    counts = np.bincount(of)[order].cumsum()
    n = np.abs(counts[:-1] - share * len(labels)).argmin() + 1 if len(order) > 1 else 0
    first = np.isin(of, order[:n])
    for label in np.unique(labels):
        if len(set(first[labels == label])) < 2:
            raise ValueError(
                f"with whole groups ({len(order)} of them) class {label} lies on one side of the"
                f" split; take smaller groups or another `split_seed` than {seed}"
            )
    log.info(f"cut at {first.mean():.0%}, {n} of {len(order)} groups, with seed {seed}")
    return np.flatnonzero(first), np.flatnonzero(~first)


def first_classes(dataset: str, first: int, classes: list[str]) -> list[str]:
    """The first `first` class names; ValueError if there are not so many."""
    if not 1 <= first <= len(classes):
        raise ValueError(f"{dataset}: first is {first}, it may be 1 to {len(classes)}")
    return classes[:first]


def chosen(
    kind: str, known: list[str], corruptions: Sequence[str] | None, severities: Sequence[int]
) -> list[str]:
    """The corruptions (None: all); ValueError for a corruption or severity that is not there."""
    names = known if corruptions is None else list(corruptions)
    for what, given, there in (
        ("corruptions", names, known),
        ("severities", list(severities), SEVERITIES),
    ):
        if not given or not set(given) <= set(there) or len(set(given)) < len(given):
            raise ValueError(f"{kind}: {what} is {given}, it must be some of {there}, each once")
    return names
