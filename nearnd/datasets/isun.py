"""iSUN: photographs of scenes made smaller, as ODIN has them.

A part of SUN that was shown to people whose gaze was tracked. Nobody published a checksum.

See _external.py.
"""

from nearnd.datasets._external import external
from nearnd.datasets._reader import reader

CLASSES = ["isun"]
SPLITS = ["test"]
ARCHIVES = {
    "iSUN.tar.gz": {
        "urls": ["https://www.dropbox.com/s/raw/ssz7qxfqae0cca5/iSUN.tar.gz"],
    }
}
LICENCE = "none stated; cite Xu et al. (2015)"
IMAGES = {"train": 0, "test": 8_925, "channels": 3}


@reader
def build(archives, /, size: int = 32):
    """8,925 test images, uint8 (N, size, size, 3); no training images."""
    (archive,) = archives.values()
    return external(CLASSES[0], archive, size, IMAGES["test"])
