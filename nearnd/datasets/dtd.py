"""Describable Textures: 5,640 photographs of textures, 47 words for them, 300 to 640 pixels.

None of the papers uses it: an exposure set for textures and products that has no object in it.
"""

from nearnd.contracts import Fit
from nearnd.datasets._archive import Archive
from nearnd.datasets._reader import reader
from nearnd.files.decode import decode_splits
from nearnd.plugins import listed

ARCHIVES = {
    "dtd-r1.0.1.tar.gz": {
        "urls": ["https://www.robots.ox.ac.uk/~vgg/data/dtd/download/dtd-r1.0.1.tar.gz"],
        "md5": "fff73e5086ae6bdbea199a49dfb8a4c1",
        "bytes": 600_000_000,
        "about": True,
    }
}
LICENCE = "research use; cite Cimpoi et al. (2014)"
CLASSES = listed("dtd")
RANGES = {"partition": (1, 10)}


def count(of, *, val: bool, **rest) -> dict[str, int]:
    """See contracts.py."""
    n = 40 * len(CLASSES)
    return {"train": 2 * n if val else n, "test": n, "channels": 3}


@reader
def build(archives, /, size: int = 256, partition: int = 1, val: bool = False, fit: Fit = "crop"):
    """One of the ten published partitions, 40 training and 40 test images of each class (80 and 40
    with `val`: the validation images train too); uint8 (N, size, size, 3).

    ids are paths like banded/banded_0002.jpg; `fit` as in files/picture.py.
    """
    files = Archive(archives["dtd-r1.0.1.tar.gz"], r"dtd/(images/.+\.jpg|labels/\w+\.txt)")

    def rows(split: str) -> list:
        table = f"dtd/labels/{split}{partition}.txt"
        found = []
        for path in files.lines(table):
            name = path.split("/")[0]
            if name not in CLASSES:
                raise ValueError(f"dtd: {files[table]}: {name} is none of the 47 classes")
            found.append((path, CLASSES.index(name), files[f"dtd/images/{path}"]))
        return found

    train = rows("train") + (rows("val") if val else [])
    return decode_splits({"train": train, "test": rows("test")}, size, fit=fit), CLASSES
