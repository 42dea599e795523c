"""A part of a dataset: some of its classes, so many training images of each."""

import numpy as np
import pandas as pd

from nearnd.contracts import Images


def select(
    splits: dict[str, Images],
    classes: list[str],
    only: list[str] | None = None,
    most: int | None = None,
) -> tuple[dict[str, Images], list[str]]:
    """The images of the classes in `only` (None: all), and the first `most` training images of each
    class in a seeded order (None: all); labels count anew, in the order of `classes`.

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
        part = images if keep.all() else images.rows(np.flatnonzero(keep))
        found[split] = Images(part.pixels, label[part.labels], part.ids, part.masks)
    return found, names


def _rank(labels: np.ndarray) -> np.ndarray:
    """The place of each image among those of its class, in a random order, int64 (N,)."""
    order = np.random.default_rng(0).permutation(len(labels))
    rank = pd.Series(labels[order]).groupby(labels[order]).cumcount()
    return rank.to_numpy()[np.argsort(order)]
