"""TIN-crop: a patch of each test image of Tiny-ImageNet, as ODIN has it.

See _external.py.
"""

from nearnd.datasets._external import external
from nearnd.datasets._reader import reader

CLASSES = ["tin_crop"]
SPLITS = ["test"]
ARCHIVES = {
    "Imagenet.tar.gz": {
        "urls": ["https://www.dropbox.com/s/raw/avgm2u562itwpkl/Imagenet.tar.gz"],
        "md5": "7c0827e4246c3718a5ee076e999e52e5",
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
