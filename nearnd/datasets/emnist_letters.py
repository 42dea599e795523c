"""EMNIST-Letters: handwritten letters in MNIST's format, 26 classes of both cases together.

UNODE takes each letter as normal in turn; "Rethinking Assumptions" takes all as outlier exposure
for MNIST. The source stores the images transposed: here they stand upright, like MNIST's, or a
detector could tell letters from digits by their direction alone.
"""

from nearnd.contracts import Mode
from nearnd.datasets._idx import SIDE, idx
from nearnd.datasets._labelled import labelled
from nearnd.datasets._members import named
from nearnd.datasets._reader import reader

CLASSES = [
    "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m",
    "n", "o", "p", "q", "r", "s", "t", "u", "v", "w", "x", "y", "z",
]  # fmt: skip
ARCHIVES = {
    "gzip.zip": {
        "urls": [
            "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip",
            "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/gzip.zip",
        ],
        "sha256": "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",
        "bytes": 561_753_746,
    }
}
LICENCE = "US government work (NIST)"
IMAGES = {"train": 124_800, "test": 20_800, "channels": 1}
MOST_ZIPPED = 1 << 26  # bytes of a packed file in the zip; the letters have 30 million


@reader
def build(archives, /, size: int = 28, mode: Mode = "L"):
    """4,800 training and 800 test images of each letter, uint8 (N, size, size, 1 or 3).

    `mode` is "L" (one channel) or "RGB" (three equal ones). ids are "train/00000", "test/00000".
    """
    (archive,) = archives.values()
    names = {
        f"gzip/emnist-letters-{split}-{what}-ubyte.gz": shape
        for split in ("train", "test")
        for what, shape in (("images-idx3", (SIDE, SIDE)), ("labels-idx1", ()))
    }
    arrays = {
        name: idx(content, f"{archive}: {name}", names[name])
        for name, content in named(archive, names, MOST_ZIPPED)
    }
    splits = {}
    for split in ("train", "test"):
        pixels = arrays[f"gzip/emnist-letters-{split}-images-idx3-ubyte.gz"]
        labels = arrays[f"gzip/emnist-letters-{split}-labels-idx1-ubyte.gz"].astype(int) - 1
        upright = pixels.transpose(0, 2, 1)  # (N, H, W)
        splits[split] = labelled(upright, labels, split, CLASSES, archive, size, mode)
    return splits, CLASSES
