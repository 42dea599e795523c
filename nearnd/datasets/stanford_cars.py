"""Stanford-Cars: 16,185 photographs of 196 models of cars.

FITYMI uses it without saying which classes are normal. As for its birds and flowers, the first 20
are taken in turn here, and the whole test split is scored.
"""

import logging

from nearnd.contracts import Fit
from nearnd.datasets._archive import Archive
from nearnd.datasets._mat import read_mat
from nearnd.datasets._reader import reader
from nearnd.datasets._split import first_classes
from nearnd.files.decode import decode_splits
from nearnd.plugins import listed

ARCHIVES = {
    "cars_train.tgz": {
        "sha256": "512b227b30e2f0a8aab9e09485786ab4479582073a144998da74d64b801fd288",
        "bytes": 979_269_282,
    },
    "cars_test.tgz": {
        "sha256": "bffea656d6f425cba3c91c6d83336e4c5f86c6cffd8975b0f375d3a10da8e243",
        "bytes": 977_350_468,
    },
    "car_devkit.tgz": {
        "sha256": "b97deb463af7d58b6bfaa18b2a4de9829f0f79e8ce663dfa9261bf7810e9accd",
        "bytes": 330_960,
    },
    "cars_test_annos_withlabels.mat": {
        "sha256": "790f75be8ea34eeded134cc559332baf23e30e91367e9ddca97d26ed9b895f05",
        "bytes": 185_758,
    },
}
LICENCE = "non-commercial research; cite Krause et al. (2013)"
IMAGES = {"train": 830, "test": 8_041, "channels": 3}  # 20 classes train; about 41 images each
GATED = (
    "Its page (ai.stanford.edu/~jkrause/cars/car_dataset.html) is gone and no official link is"
    " left, so the four original files, for non-commercial research, have to come from your own or"
    " a colleague's copy: cars_train.tgz, cars_test.tgz, car_devkit.tgz and"
    " cars_test_annos_withlabels.mat. Repacked copies (Kaggle) have other checksums; unpacked into"
    " class folders they can be used as an image_folder."
)
log = logging.getLogger("nearnd")
CLASSES = listed("stanford_cars")


@reader
def build(archives, /, size: int = 256, first: int = 20, fit: Fit = "crop"):
    """Training images of the `first` classes and test images of all, uint8 (N, size, size, 3).

    The bounding boxes are not used. ids are like cars_test/00001.jpg: numbers begin anew; `fit` as
    in files/picture.py.
    """
    first_classes("stanford_cars", first, CLASSES)
    devkit = Archive(archives["car_devkit.tgz"], r"devkit/\w+\.mat")
    (names,) = read_mat(devkit["devkit/cars_meta.mat"], "class_names")
    found = [str(name).replace("/", "-") for name in names]  # names become parts of paths
    if len(found) != len(CLASSES):
        raise ValueError(
            f"stanford_cars: {devkit.path} has {len(found)} classes, not {len(CLASSES)}"
        )
    if found != CLASSES:
        log.warning(f"stanford_cars: other class names: {sorted(set(found) ^ set(CLASSES))}")
    tables = {
        "train": devkit["devkit/cars_train_annos.mat"],
        "test": archives["cars_test_annos_withlabels.mat"],
    }
    splits = {}
    for split, table in tables.items():
        (cars,) = read_mat(table, "annotations")
        files = Archive(archives[f"cars_{split}.tgz"], rf"cars_{split}/\d{{5}}\.jpg")
        names = [f"cars_{split}/{car['fname']}" for car in cars]
        labels = [int(car["class"]) - 1 for car in cars]  # published from 1 on
        rows = [(n, label, files[n]) for n, label in zip(names, labels, strict=True)]
        splits[split] = [row for row in rows if split == "test" or row[1] < first]
    return decode_splits(splits, size, fit=fit), CLASSES


def trained(first: int = 20, **rest) -> list[str]:
    """The classes that have training images: those that can be normal."""
    return first_classes("stanford_cars", first, CLASSES)
