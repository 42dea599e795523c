"""LSUN-resize: the test images of LSUN's scenes made smaller, as ODIN has them.

How they were made smaller can be seen in them, and gives them away (Tack et al. 2020).

See _external.py.
"""

from nearnd.datasets._external import external
from nearnd.datasets._reader import reader

CLASSES = ["lsun_resize"]
SPLITS = ["test"]
ARCHIVES = {
    "LSUN_resize.tar.gz": {
        "urls": ["https://www.dropbox.com/s/raw/moqh2wh8696c3yl/LSUN_resize.tar.gz"],
        "md5": "278b7b31c8cb7e804a1465a8ce03a2dc",
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
