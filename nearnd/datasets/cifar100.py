"""CIFAR-100: 60,000 colour photographs of 32x32 pixels, 100 classes in 20 groups of five.

FITYMI and UNODE take the 20 coarse classes for one-vs-rest, FITYMI the fine ones as anomalies of
CIFAR-10 (CIFAR-10vs100). torchvision reads only the fine labels, and only from pickles: here the
binary archive is read, which has both.
"""

from nearnd.datasets._cifar100_classes import coarse_of_fine, names
from nearnd.datasets._reader import reader

ARCHIVES = {
    "cifar-100-binary.tar.gz": {
        "urls": ["https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz"],
        "sha256": "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        "bytes": 168_513_733,
    }
}
LICENCE = "none stated; cite Krizhevsky, Learning Multiple Layers of Features (2009)"
IMAGES = {"train": 50_000, "test": 10_000, "channels": 3}
MOST = 160_000_000  # bytes of any file in the archive; train.bin has 153,700,000


@reader
def build(archives, /, labels: str = "coarse", size: int = 32):
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
    files = {f"cifar-100-binary/{split}.bin": split for split in ("train", "test")}
    splits = {}
    for name, content in named(archive, files, MOST):
        pixels, numbers = records(content, f"{archive}: {name}", 2)
        coarse, fine = numbers.T  # (N,)
        if fine.max() >= 100 or (coarse != np.array(coarse_of_fine())[fine]).any():
            raise ValueError(f"{archive}: {name} groups the fine classes as no CIFAR-100 does")
        column, split = coarse if labels == "coarse" else fine, files[name]
        splits[split] = labelled(pixels, column, split, known, archive, size)
    return {split: splits[split] for split in ("train", "test")}, known


def classes(labels: str = "coarse", **rest) -> list[str]:
    """The class names in label order."""
    return names(labels)
