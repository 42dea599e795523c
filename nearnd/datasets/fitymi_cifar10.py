"""FITYMI's generated CIFAR-10 images, 5,000 of each class, from early-stopped score SDEs.

A test set only; each image is an anomaly of the class that it imitates (_fitymi.py says more).
"""

from nearnd.datasets._fitymi import blocks
from nearnd.datasets._reader import reader

CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
SPLITS = ["test"]
ARCHIVES = {  # no checksum is published: it is recorded at first use
    "cifar10_training_gen_data.npy": {
        "urls": [
            "https://drive.usercontent.google.com/download?id=1jMKZPqFTldsO80U3o79KDTSagUVUAl-5&export=download&confirm=t"
        ],
        "hint": "By hand: https://drive.google.com/file/d/1jMKZPqFTldsO80U3o79KDTSagUVUAl-5,"
        " saved as cifar10_training_gen_data.npy",
        "bytes": 153_600_128,
        "about": True,  # an array of that shape, by our reckoning
    }
}
LICENCE = "none given in the authors' repository: no right to pass it on"
IMAGES = {"train": 50_000, "test": 0, "channels": 3}


@reader
def build(archives, /):
    """50,000 images, uint8 (N, 32, 32, 3)."""
    return blocks(archives, CLASSES)
