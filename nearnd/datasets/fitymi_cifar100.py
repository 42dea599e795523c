"""FITYMI's generated CIFAR-100 images, 2,500 of each coarse class, from early-stopped score SDEs.

A test set only; each image is an anomaly of the class that it imitates (_fitymi.py says more).
"""

from nearnd.datasets._cifar100_classes import COARSE
from nearnd.datasets._reader import reader

SPLITS = ["test"]
ARCHIVES = {  # no checksum is published: it is recorded at first use
    "cifar100_training_gen_data.npy": {
        "urls": [
            "https://drive.usercontent.google.com/download?id=1-1-L4qWCTg08lBfPF9qDBMYOaHne6mR5&export=download&confirm=t"
        ],
        "hint": "By hand: https://drive.google.com/file/d/1-1-L4qWCTg08lBfPF9qDBMYOaHne6mR5,"
        " saved as cifar100_training_gen_data.npy",
        "bytes": 153_600_128,
        "about": True,  # an array of that shape, by our reckoning
    }
}
LICENCE = "none given in the authors' repository: no right to pass it on"
IMAGES = {"train": 50_000, "test": 0, "channels": 3}


@reader
def build(archives, /):
    """50,000 images, uint8 (N, 32, 32, 3)."""
    from nearnd.datasets._fitymi import blocks

    return blocks(archives, COARSE)


def classes(**rest) -> list[str]:
    """The coarse class names in label order."""
    return COARSE
