"""The generated images that FITYMI's authors released: one array, one class after the other.

To train on them use `fakes: {kind: imported}`. The authors drew FSDE's images from the same
generators' output as their training fakes, perhaps the same images: a detector trained on the one
should not be tested on the other. Source: the README of https://github.com/rohban-lab/FITYMI
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nearnd.contracts import Images
from nearnd.datasets._members import array


def blocks(file: Path, n_classes: int) -> dict[str, Images]:
    """A test split of uint8 (N, 32, 32, 3), N / n_classes images of each class; no training split.

    The label is the class that the generator was trained on, and every image is an anomaly of it.
    ids are "test/00017". ValueError naming the file if it has another layout.
    """
    pixels = array(file, str(file), (None, 32, 32, 3), ["uint8"])
    if not len(pixels) or len(pixels) % n_classes:
        raise ValueError(f"{file} has {len(pixels)} images, not as many of each of {n_classes}")
    labels = np.repeat(np.arange(n_classes), len(pixels) // n_classes)
    test = Images(pixels, labels, np.array([f"test/{i:05d}" for i in range(len(pixels))]))
    return {"train": test.rows(slice(0)), "test": test}
