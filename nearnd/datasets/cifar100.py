"""CIFAR-100: 60,000 colour photographs of 32x32 pixels, 100 classes in 20 groups of five.

FITYMI and UNODE take the 20 coarse classes for one-vs-rest, FITYMI the fine ones as anomalies of
CIFAR-10 (CIFAR-10vs100). torchvision reads only the fine labels, and only from pickles: here the
binary archive is read, which has both.
"""

from typing import Literal

from nearnd.datasets._cifar100_classes import coarse_of_fine, names
from nearnd.datasets._reader import reader

ARCHIVES = {
    "cifar-100-binary.tar.gz": {
        "urls": ["https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz"],
        "sha1": {
            "cifar-100-binary/train.bin": "e207cd2e05b73b1393c74c7f5e7bea451d63e08e",
            "cifar-100-binary/test.bin": "8fb6623e830365ff53cf14adec797474f5478006",
        },
        "hint": "Any tar or zip of the official binary files will do, or their folder"
        " cifar-100-binary itself; the pickles of cifar-100-python will not.",
        "bytes": 168_513_733,
    }
}
LICENCE = "none stated; cite Krizhevsky, Learning Multiple Layers of Features (2009)"
IMAGES = {"train": 50_000, "test": 10_000, "channels": 3}
MOST = 160_000_000  # bytes of any file in the archive; train.bin has 153,700,000


@reader
def build(archives, /, labels: Literal["coarse", "fine"] = "coarse", size: int = 32):
    """uint8 (N, size, size, 3): 50,000 training and 10,000 test images.

    `labels` is "coarse" (2,500 and 500 of each of 20) or "fine" (500 and 100 of each of 100).
    ids are "train/00000" and "test/00000", positions in the archive, as CIFAR-100-C counts them.
    """
    known = names(labels)
    import numpy as np

    from nearnd.datasets._cifar import records
    from nearnd.datasets._labelled import labelled
    from nearnd.datasets._members import named

    (archive,) = archives.values()
    files = {f"{split}.bin": split for split in ("train", "test")}
    splits = {}
    for name, content in named(archive, files, MOST):
        pixels, numbers = records(content, f"{archive}: {name}", 2)
        coarse, fine = numbers.T  # (N,)
        if fine.max() >= 100 or (coarse != np.array(coarse_of_fine())[fine]).any():
            raise ValueError(f"{archive}: {name} groups the fine classes as no CIFAR-100 does")
        column, split = coarse if labels == "coarse" else fine, files[name]
        splits[split] = labelled(pixels, column, split, known, archive, size)
    return {split: splits[split] for split in ("train", "test")}, known


def classes(labels: Literal["coarse", "fine"] = "coarse", **rest) -> list[str]:
    """The class names in label order."""
    return names(labels)
