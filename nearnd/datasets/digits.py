"""scikit-learn's handwritten digits: 1,797 real scans of 8x8 grey pixels, ten classes, no download.

The set has no official split. Three parts are cut from it: "train" (60 %), and two halves of the
rest, "development" and "test", so that settings can be chosen on one half and reported on the
other. The training images are the same for both.
"""

from typing import Literal

import numpy as np

from nearnd.contracts import Images
from nearnd.datasets._reader import reader
from nearnd.datasets._split import stratified

CLASSES = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
IMAGES = {"train": 1_078, "test": 360, "channels": 1}  # counted
PARTS = ("development", "test")


@reader
def build(
    archives,
    /,
    train: float = 0.6,
    part: Literal["development", "test"] = "test",
    split_seed: int = 0,
):
    """The digits with `train` of each class to train on, and `part` of the rest to test on.

    `part` is "development" (to choose settings on) or "test" (to report). uint8 (N, 8, 8, 1),
    bright ink on black. ids are positions in scikit-learn's order.
    """
    from sklearn.datasets import load_digits

    source = load_digits()
    grey = source.images * (255 / 16)  # (N, 8, 8), published as counts 0..16
    pixels = np.round(grey).astype(np.uint8)[..., None]  # (N, 8, 8, 1)
    ids = np.array([f"{i:04d}" for i in range(len(pixels))])
    images = Images(pixels, source.target.astype(np.int64), ids)

    first, rest = stratified(images.labels, train, split_seed)
    half = stratified(images.labels[rest], 0.5, split_seed)[PARTS.index(part)]
    return {"train": images.rows(first), "test": images.rows(rest[half])}, CLASSES
