"""Head CT hemorrhage: 200 slices of computed tomographies, half of them with a bleeding.

The split is UNODE's: numpy's generator with seed 1225 picks 75 of the 100 normal slices, in order
of their names, to train on; the others and all with a bleeding are scored.
"""

import csv

import numpy as np

from nearnd.contracts import Fit
from nearnd.datasets._archive import Archive, expect
from nearnd.datasets._reader import reader
from nearnd.files.decode import decode_splits

CLASSES = ["normal", "hemorrhage"]
ARCHIVES = {"head-ct-hemorrhage.zip": {}}
LICENCE = "see its page at Kaggle (felipekitamura/head-ct-hemorrhage)"
IMAGES = {"train": 75, "test": 125, "channels": 1}
GATED = (
    "Log in at https://www.kaggle.com/datasets/felipekitamura/head-ct-hemorrhage, read the licence"
    " on that page, download the whole set as one zip and name it head-ct-hemorrhage.zip."
)
TRAIN, SEED = 0.75, 1225


def _labels(files: Archive) -> dict[int, int]:
    """{number of the image: 0 normal, 1 hemorrhage}."""
    found = files.matching(r"(?:.+/)?labels\.csv")
    if len(found) != 1:
        raise ValueError(f"head_ct: {files.path} has {len(found)} files labels.csv, not one")
    table = csv.DictReader(files.lines(found[0][1].name), skipinitialspace=True)
    try:
        return {int(row["id"]): int(row["hemorrhage"]) for row in table}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"head_ct: {found[0][1]} lacks id or hemorrhage: {error!r}") from error


@reader
def build(archives, /, size: int = 256, fit: Fit = "squash"):
    """75 normal slices to train on, 25 normal ones and 100 with a bleeding to score, uint8
    (N, size, size, 3). ids are the file names.

    UNODE resizes the shorter side to 256 pixels and crops the middle 224; here the whole slice is
    kept, squashed, unless `fit` (files/picture.py) says otherwise.
    """
    files = Archive(next(iter(archives.values())), r"(.+/)?(labels\.csv|\d{3}\.png)")
    slices = {int(match[1]): m for match, m in files.matching(r"(?:.+/)?(\d{3})\.png")}
    labels = _labels(files)
    if labels.keys() != slices.keys():
        raise ValueError(
            f"head_ct: {files.path} has {len(slices)} images and {len(labels)} labels, of"
            f" which {len(labels.keys() ^ slices.keys())} do not belong together"
        )
    normal = np.array([number for number in sorted(slices) if not labels[number]])
    expect("head_ct", "normal images", len(normal), 100)
    expect("head_ct", "images with a hemorrhage", len(slices) - len(normal), 100)

    # the legacy generator is the one that the published split was drawn with
    order = np.random.RandomState(SEED).permutation(len(normal))
    train = set(normal[order[: round(TRAIN * len(normal))]].tolist())
    splits = {"train": [], "test": []}
    for number, member in sorted(slices.items()):
        row = (f"{number:03d}.png", labels[number], member)
        splits["train" if number in train else "test"].append(row)
    return decode_splits(splits, size, fit=fit), CLASSES


def trained(**rest) -> list[str]:
    """The classes that have training images: those that can be normal."""
    return ["normal"]
