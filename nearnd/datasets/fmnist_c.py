"""FMNIST-C as published: one corruption, drawn at random, for each Fashion-MNIST test image.

UNODE's one number for this set. Which image has which corruption is not recorded, so there is
nothing to slice by; several kinds of flip are among them. A test set only. The entry
`fashion_mnist_c` (kind corrupted) has the corruptions apart.
"""

import numpy as np

from nearnd.contracts import Images, Mode
from nearnd.datasets._labelled import labelled
from nearnd.datasets._members import array
from nearnd.datasets._reader import reader

CLASSES = [
    "t-shirt", "trouser", "pullover", "dress", "coat",
    "sandal", "shirt", "sneaker", "bag", "ankle_boot",
]  # fmt: skip
SPLITS = ["test"]
LINKS = [
    "https://github.com/testingautomated-usi/fashion-mnist-c/raw/3892c9e206026fd300fe38cb83c9e38059a5464e/generated/npy/"
]
ARCHIVES = {  # no checksum is published: it is recorded at first use
    "fmnist-c-test.npy": {
        "bytes": 7_840_128,
        "about": True,  # an array of that shape, by our reckoning
    },
    "fmnist-c-test-labels.npy": {
        "bytes": 80_128,
        "about": True,  # an array of that shape, by our reckoning
    },
}
LICENCE = "MIT"
IMAGES = {"train": 0, "test": 10_000, "channels": 1}  # corruptions mixed


@reader
def build(archives, /, size: int = 28, mode: Mode = "L"):
    """10,000 images, uint8 (N, size, size, 1 or 3); ids "mixed/1/test/00017".

    `size` and `mode` as in `fashion_mnist`, the clean set.
    """
    images, labels = (archives[name] for name in ARCHIVES)
    pixels = array(images, str(images), (None, 28, 28), ["uint8"])
    numbers = array(labels, str(labels), (None,), ["uint8", "int32", "int64"])
    test = labelled(np.asarray(pixels), numbers, "test", CLASSES, images, size, mode)
    test = Images(test.pixels, test.labels, np.char.add("mixed/1/", test.ids))
    return {"train": test.rows(slice(0)), "test": test}, CLASSES
