"""A test set of images that a generator of this run made of each class: FITYMI's FSDE and FSGAN.

Each image imitates the normal class that it was drawn for, and is an anomaly of it all the same.
"""

import numpy as np

from nearnd.contracts import Images
from nearnd.datasets._reader import reader
from nearnd.files.arrays import load_array, scratch

NEEDS = ["dataset", "fakes"]
SPLITS = ["test"]
LICENCE = "as the dataset that is imitated"
ACCESS = "drawn here"


@reader
def build(archives, /):
    """uint8 (N, H, W, C): the fakes of each class of the dataset, one class after the other; ids
    are "airplane/00017". ValueError, which names the file, if theirs differ in size."""
    parts = {name: load_array(file, ndim=4, dtype="uint8") for name, file in archives.items()}
    first = next(iter(parts.values()))
    for name, part in parts.items():
        if part.shape[1:] != first.shape[1:]:
            raise ValueError(
                f"{archives[name]} has images {part.shape[1:]}, other classes have"
                f" {first.shape[1:]}"
            )
    counts = [len(part) for part in parts.values()]
    pixels, end = scratch((sum(counts), *first.shape[1:])), 0  # (N, H, W, C)
    for part in parts.values():
        pixels[end : end + len(part)] = part
        end += len(part)
    ids = [f"{name}/{i:05d}" for name, part in parts.items() for i in range(len(part))]
    test = Images(pixels, np.repeat(np.arange(len(parts)), counts), np.array(ids))
    return {"train": test.rows(slice(0)), "test": test}, list(parts)
