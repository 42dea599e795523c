"""300K random images: 32x32 photographs from the web, for outlier exposure only.

A part of 80 Million Tiny Images that its makers cleaned of CIFAR's classes and of bad content
(https://github.com/hendrycks/outlier-exposure). The whole set was withdrawn in 2020, so "Rethinking
Assumptions" cannot be repeated with it; users report somewhat worse results with this part. Name it
in a config only after reading why the whole was withdrawn, and name it in the table.
"""

import numpy as np

from nearnd.contracts import Images
from nearnd.datasets._members import array
from nearnd.datasets._reader import reader

CLASSES = ["image"]
SPLITS = ["train"]
LINKS = ["https://people.eecs.berkeley.edu/~hendrycks/"]
ARCHIVES = {
    "300K_random_images.npy": {"md5": "64ca64357de98351f28454274a112dc3", "bytes": 921_600_128}
}
LICENCE = "none stated; derived from a withdrawn set"
IMAGES = {"train": 300_000, "test": 0, "channels": 3}


@reader
def build(archives, /):
    """300,000 training images without labels, uint8 (N, 32, 32, 3); no test images."""
    (file,) = archives.values()
    pixels = array(file, str(file), (None, 32, 32, 3), ["uint8"])  # memory-mapped
    ids = np.array([f"train/{i:06d}" for i in range(len(pixels))])
    train = Images(pixels, np.zeros(len(pixels), np.int64), ids)
    return {"train": train, "test": train.rows(slice(0))}, CLASSES
