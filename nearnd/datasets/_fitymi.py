"""The generated images that FITYMI's authors released: one array, one class after the other.

To train on them use `fakes: {kind: imported}`. The authors drew FSDE's images from the same
generators' output as their training fakes, perhaps the same images: a detector trained on the one
should not be tested on the other. Source: the README of https://github.com/rohban-lab/FITYMI
"""

import numpy as np

from nearnd.contracts import Images
from nearnd.datasets._members import array


def blocks(archives, classes: list[str]) -> tuple[dict[str, Images], list[str]]:
    """A test split of uint8 (N, 32, 32, 3), as many images of each class; no training split.

    The label is the class that the generator was trained on, and every image is an anomaly of it.
    ids are "test/00017". ValueError naming the file if it has another layout.
    """
    (file,) = archives.values()
    pixels = array(file, str(file), (None, 32, 32, 3), ["uint8"])
    n, k = len(pixels), len(classes)
    if not n or n % k:
        raise ValueError(f"{file} has {n} images, not as many of each of {k}")
    ids = np.array([f"test/{i:05d}" for i in range(n)])
    test = Images(pixels, np.repeat(np.arange(k), n // k), ids)
    return {"train": test.rows(slice(0)), "test": test}, classes
