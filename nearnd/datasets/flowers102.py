"""Flowers-102: 8,189 photographs of 102 kinds of flowers found in Britain, several hundred pixels.

FITYMI takes each of the first 20 classes as normal in turn and scores the whole test split. It does
not say whether the validation images train too; without them a class has 10 training images.
"""

from nearnd.contracts import Fit
from nearnd.datasets._archive import Archive
from nearnd.datasets._mat import read_mat
from nearnd.datasets._reader import reader
from nearnd.datasets._split import first_classes
from nearnd.files.decode import decode_splits
from nearnd.plugins import listed

LINKS = ["https://www.robots.ox.ac.uk/~vgg/data/flowers/102/"]
ARCHIVES = {
    "102flowers.tgz": {
        "sha256": "2d01ecc807db462958cfe3d92f57a8c252b4abd240eb955770201e45f783b246",
        "bytes": 344_862_509,
    },
    "imagelabels.mat": {
        "sha256": "4903e94206bac23bf772aadf06451916df56b58fc483a62db32a97b82656651d",
        "bytes": 502,
    },
    "setid.mat": {
        "sha256": "46b8678f91fd95d3c8f4feab80d271a6c834a1dd896fe29fd3e6ad9ce5c8dccd",
        "bytes": 14_989,
    },
}
LICENCE = "none stated; cite Nilsback and Zisserman (2008)"
IMAGES = {"train": 200, "test": 6_149, "channels": 3}  # the first 20 classes train
CLASSES = listed("flowers102")


@reader
def build(archives, /, size: int = 256, first: int = 20, val: bool = False, fit: Fit = "crop"):
    """Training images of the `first` classes (with `val`, the validation images too), and the test
    images of all; uint8 (N, size, size, 3). ids are the file names; `fit` as in files/picture.py.
    """
    first_classes("flowers102", first, CLASSES)
    (labels,) = read_mat(archives["imagelabels.mat"], "labels")  # of image 1, 2, ...; from 1 on
    trnid, valid, tstid = read_mat(archives["setid.mat"], "trnid", "valid", "tstid")
    files = Archive(archives["102flowers.tgz"], r"jpg/image_\d{5}\.jpg")

    def rows(numbers) -> list:
        names = [f"image_{number:05d}.jpg" for number in numbers]
        return [
            (name, int(labels[number - 1]) - 1, files[f"jpg/{name}"])
            for name, number in zip(names, numbers, strict=True)
        ]

    train = rows([*trnid, *valid] if val else trnid)
    splits = {"train": [row for row in train if row[1] < first], "test": rows(tstid)}
    return decode_splits(splits, size, fit=fit), CLASSES


def trained(first: int = 20, **rest) -> list[str]:
    """The classes that have training images: those that can be normal."""
    return first_classes("flowers102", first, CLASSES)
