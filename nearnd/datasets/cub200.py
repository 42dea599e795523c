"""CUB-200-2011: 11,788 photographs of 200 kinds of North American birds, about 500 pixels.

FITYMI takes each of the first 20 classes as normal in turn and scores the whole test split.
"""

from nearnd.contracts import Fit
from nearnd.datasets._archive import Archive
from nearnd.datasets._reader import reader
from nearnd.datasets._split import first_classes
from nearnd.files.decode import decode_splits
from nearnd.plugins import listed

ARCHIVES = {
    "CUB_200_2011.tgz": {
        "urls": ["https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz"],
        "sha256": "0c685df5597a8b24909f6a7c9db6d11e008733779a671760afef78feb49bf081",
        "bytes": 1_150_585_339,
    }
}
LICENCE = "none stated; non-commercial research use is usual; cite Wah et al. (2011)"
IMAGES = {"train": 600, "test": 5_794, "channels": 3}  # 20 classes train; about 30 images each
CLASSES = listed("cub200")


@reader
def build(archives, /, size: int = 256, first: int = 20, fit: Fit = "crop"):
    """Training images of the `first` classes and test images of all, uint8 (N, size, size, 3).

    ids are the paths in the archive's images folder; `fit` as in files/picture.py.
    """
    first_classes("cub200", first, CLASSES)
    files = Archive(archives["CUB_200_2011.tgz"], r"CUB_200_2011/(images/.+\.jpg|\w+\.txt)")
    names, paths, classes, training = (
        files.pairs(f"CUB_200_2011/{table}.txt")
        for table in ("classes", "images", "image_class_labels", "train_test_split")
    )
    if [name[4:] for name in names.values()] != CLASSES:  # "001.Black_footed_Albatross"
        raise ValueError(f"cub200: classes.txt in {files.path} has other classes")
    splits = {"train": [], "test": []}
    for number, path in paths.items():
        label = int(classes[number]) - 1  # published from 1 on
        row = (path, label, files[f"CUB_200_2011/images/{path}"])
        if training[number] == "0":
            splits["test"].append(row)
        elif label < first:
            splits["train"].append(row)
    return decode_splits(splits, size, fit=fit), CLASSES


def trained(first: int = 20, **rest) -> list[str]:
    """The classes that have training images: those that can be normal."""
    return first_classes("cub200", first, CLASSES)
