"""A part of a dataset is exactly that part."""

import numpy as np
import pytest

from nearnd.contracts import Images
from nearnd.jobs.subset import select

RNG = np.random.default_rng(0)
CLASSES = ["bird", "cat", "dog", "frog"]


def images(n):
    labels = RNG.integers(0, 4, n)
    pixels = np.repeat(labels, 12).reshape(n, 2, 2, 3).astype(np.uint8)  # show their class
    return Images(pixels, labels, np.array([f"{CLASSES[k]}/{i}" for i, k in enumerate(labels)]))


def test_some_classes_keep_their_own_images_and_all_of_them():
    splits = {"train": images(200), "test": images(80)}
    found, names = select(splits, CLASSES, only=["dog", "cat"])
    assert names == ["cat", "dog"]  # in the dataset's order
    for split, part in found.items():
        whole = splits[split]
        assert len(part) == np.isin(whole.labels, [1, 2]).sum()
        for pixels, label, name in zip(part.pixels, part.labels, part.ids, strict=True):
            assert name.startswith(names[label] + "/")
            assert (pixels == CLASSES.index(names[label])).all()


def test_at_most_so_many_training_images_of_each_class_the_same_ones_each_time():
    splits = {"train": images(200), "test": images(80)}
    found, names = select(splits, CLASSES, most=10)
    again, _ = select(splits, CLASSES, most=10)
    fewer, _ = select(splits, CLASSES, most=4)
    assert names == CLASSES
    assert (np.bincount(found["train"].labels) == 10).all()
    assert (found["train"].ids == again["train"].ids).all()
    assert set(fewer["train"].ids) < set(found["train"].ids)
    assert len(found["test"]) == 80


def test_everything_is_what_nothing_asks_for():
    splits = {"train": images(20), "test": images(8)}
    found, names = select(splits, CLASSES)
    assert names == CLASSES
    assert (found["train"].pixels == splits["train"].pixels).all()
    with pytest.raises(ValueError, match=r"most is 1; it may be a whole number of at least 2"):
        select(splits, CLASSES, most=1)
