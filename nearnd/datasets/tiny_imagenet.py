"""Tiny-ImageNet: 64x64 photographs of 200 ImageNet classes.

Outlier exposure for CIFAR: the released code of UNODE mixes its training images into the normal
ones. The official test images have no labels: the labelled validation images are the test split.
"""

import re

from nearnd.datasets._archive import Archive
from nearnd.datasets._reader import reader
from nearnd.files.decode import decode_splits
from nearnd.plugins import listed

CLASSES = listed("tiny_imagenet")  # WordNet ids, sorted
LINKS = ["http://cs231n.stanford.edu/"]
ARCHIVES = {
    "tiny-imagenet-200.zip": {"md5": "90528d7ca1a48142e341f4ef8d21d0de", "bytes": 248_100_043}
}
LICENCE = "ImageNet terms: non-commercial research"
IMAGES = {"train": 100_000, "test": 10_000, "channels": 3}
TRAIN = r"tiny-imagenet-200/train/(n\d{8})/images/(\1_\d+\.JPEG)"
TEST = r"tiny-imagenet-200/val/images/(val_\d+\.JPEG)"
TABLE = "tiny-imagenet-200/val/val_annotations.txt"  # file name, class, bounding box


@reader
def build(archives, /, size: int = 64):
    """500 training and 50 test images of each class, uint8 (N, size, size, 3); 32 beside CIFAR.

    Some images are grey and get three equal channels. ids are "train/<class>/<file>",
    "test/<file>", sorted by class.
    """
    (path,) = archives.values()
    archive = Archive(path, "|".join((TRAIN, TEST, re.escape(TABLE))))
    class_of = archive.pairs(TABLE)  # {"val_0.JPEG": "n03444034 0 32 44 62"}
    train = [
        (found[1], f"train/{found[1]}/{found[2]}", member)
        for found, member in archive.matching(TRAIN)
    ]
    test = [
        (class_of.get(found[1], "none").split()[0], f"test/{found[1]}", member)
        for found, member in archive.matching(TEST)
    ]
    unknown = sorted({name for name, _, _ in train + test} - set(CLASSES))
    if unknown or not train or not test:
        raise ValueError(
            f"{path} has {len(train)} training and {len(test)} validation images, some of"
            f" classes that Tiny-ImageNet has not: {unknown[:5]}"
        )
    splits = {
        split: [(name, CLASSES.index(which), source) for which, name, source in sorted(rows)]
        for split, rows in (("train", train), ("test", test))
    }
    return decode_splits(splits, size), CLASSES
