"""TIN-resize: the test images of Tiny-ImageNet made smaller, as ODIN has them.

How they were made smaller can be seen in them, and gives them away (Tack et al. 2020).

See _external.py.
"""

from nearnd.datasets._external import external
from nearnd.datasets._reader import reader

CLASSES = ["tin_resize"]
SPLITS = ["test"]
ARCHIVES = {
    "Imagenet_resize.tar.gz": {
        "urls": ["https://www.dropbox.com/s/raw/kp3my3412u5k9rl/Imagenet_resize.tar.gz"],
        "md5": "0f9ff11d45babf2eff5fe12281d1ac31",
        "bytes": 25_000_000,  # as so many pictures of 32 pixels have; not stated anywhere
        "about": True,
    }
}
LICENCE = "ImageNet terms: non-commercial research"
IMAGES = {"train": 0, "test": 10_000, "channels": 3}


@reader
def build(archives, /, size: int = 32):
    """10,000 test images, uint8 (N, size, size, 3); no training images."""
    (archive,) = archives.values()
    return external(CLASSES[0], archive, size, IMAGES["test"])
