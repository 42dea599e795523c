"""LSUN-crop: a patch of each test image of LSUN's scenes, as ODIN has it.

See _external.py.
"""

from nearnd.datasets._external import external
from nearnd.datasets._reader import reader

CLASSES = ["lsun_crop"]
SPLITS = ["test"]
ARCHIVES = {
    "LSUN.tar.gz": {
        "urls": ["https://www.dropbox.com/s/raw/fhtsw1m3qxlwj6h/LSUN.tar.gz"],
        "md5": "458a0a0ab8e5f1cb4516d7400568e460",
        "bytes": 25_000_000,  # as so many pictures of 32 pixels have; not stated anywhere
        "about": True,
    }
}
LICENCE = "none stated; cite Yu et al. (2015)"
IMAGES = {"train": 0, "test": 10_000, "channels": 3}


@reader
def build(archives, /, size: int = 32):
    """10,000 test images, uint8 (N, size, size, 3); no training images."""
    (archive,) = archives.values()
    return external(CLASSES[0], archive, size, IMAGES["test"])
