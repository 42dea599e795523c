"""A part of a dataset: some of its classes, so many images; and what is mixed into its classes."""

import numpy as np
import pandas as pd

from nearnd.contracts import Images


def select(
    splits: dict[str, Images],
    classes: list[str],
    only: list[str] | None = None,
    most: int | None = None,
    tested: int | None = None,
    contaminated: float = 0.0,
) -> tuple[dict[str, Images], list[str]]:
    """The images of the classes in `only` (None: all), the first `most` training images of each
    class and `tested` test images, all classes together, in a seeded order (None: all); labels
    count anew, in the order of `classes`. See `mixed` for `contaminated`.

    ValueError if `most` is not a number of at least 2.
    """
    if most is not None and (not isinstance(most, int) or most < 2):
        raise ValueError(f"most is {most!r}; it may be a whole number of at least 2, of images")
    names = [name for name in classes if only is None or name in only]
    label = np.array([names.index(name) if name in names else -1 for name in classes])
    found = {}
    for split, images in splits.items():
        keep = label[images.labels] >= 0  # (N,)
        if most is not None and split == "train":
            keep &= _rank(images.labels) < most
        if tested is not None and split == "test":
            place = np.full(len(keep), len(keep))
            place[keep] = _rank(np.zeros(keep.sum(), int))
            keep = place < tested
        part = images if keep.all() else images.rows(np.flatnonzero(keep))
        own = label[part.labels]
        own = mixed(own, contaminated) if split == "train" and contaminated else own
        found[split] = Images(part.pixels, own, part.ids, part.masks)
    return found, names


def mixed(labels: np.ndarray, share: float) -> np.ndarray:
    """Labels (N,) after images of different classes have changed places: of each class that many
    rows, round(share * n), then hold an image of another class, whichever by a seeded chance.

    A class that is called normal has then this share of anomalies among its training images, which
    nothing says. ValueError where there are too few images of other classes.
    """
    rng, counts = np.random.default_rng(0), np.bincount(labels)
    picks = [
        rng.permutation(np.flatnonzero(labels == c))[: round(share * n)]
        for c, n in enumerate(counts)
    ]
    rows = np.concatenate(picks)
    sizes = np.array([len(pick) for pick in picks])
    if 2 * sizes.max() > len(rows):
        raise ValueError(
            f"contaminated is {share}: of {sizes.max()} images of the largest class not all can"
            " change places with images of other classes; choose a smaller share, or classes of"
            " like size"
        )
    own = labels[rows]
    new = own[rng.permutation(len(rows))]
    while len(same := np.flatnonzero(new == own)):
        others = rng.permutation(len(rows))[: len(same)]
        both = np.union1d(same, others)
        new[both] = rng.permutation(new[both])
    found = labels.copy()
    found[rows] = new
    return found


def _rank(labels: np.ndarray) -> np.ndarray:
    """The place of each image among those of its class, in a random order, int64 (N,)."""
    order = np.random.default_rng(0).permutation(len(labels))
    rank = pd.Series(labels[order]).groupby(labels[order]).cumcount()
    return rank.to_numpy()[np.argsort(order)]
