"""iSUN: photographs of scenes made smaller, as ODIN has them.

A part of SUN that was shown to people whose gaze was tracked.

See _external.py.
"""

from nearnd.datasets._external import external
from nearnd.datasets._reader import reader

CLASSES = ["isun"]
SPLITS = ["test"]
ARCHIVES = {
    "iSUN.tar.gz": {
        "urls": ["https://www.dropbox.com/s/raw/ssz7qxfqae0cca5/iSUN.tar.gz"],
        "md5": "be77b0f2c26fda898afac5f99645ee70",
        "bytes": 25_000_000,  # as so many pictures of 32 pixels have; not stated anywhere
        "about": True,
    }
}
LICENCE = "none stated; cite Xu et al. (2015)"
IMAGES = {"train": 0, "test": 8_925, "channels": 3}


@reader
def build(archives, /, size: int = 32):
    """8,925 test images, uint8 (N, size, size, 3); no training images."""
    (archive,) = archives.values()
    return external(CLASSES[0], archive, size, IMAGES["test"])
