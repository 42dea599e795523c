"""Fashion-MNIST: 70,000 grey photographs of clothes in MNIST's format, with the official split."""

from nearnd.contracts import Mode
from nearnd.datasets._idx import family
from nearnd.datasets._reader import reader

CLASSES = [
    "t-shirt", "trouser", "pullover", "dress", "coat",
    "sandal", "shirt", "sneaker", "bag", "ankle_boot",
]  # fmt: skip
LINKS = [
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
]
ARCHIVES = {
    "train-images-idx3-ubyte.gz": {
        "sha256": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "bytes": 26_421_880,
    },
    "train-labels-idx1-ubyte.gz": {
        "sha256": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "bytes": 29_515,
    },
    "t10k-images-idx3-ubyte.gz": {
        "sha256": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "bytes": 4_422_102,
    },
    "t10k-labels-idx1-ubyte.gz": {
        "sha256": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        "bytes": 5_148,
    },
}
LICENCE = "MIT"
IMAGES = {"train": 60_000, "test": 10_000, "channels": 1}


@reader
def build(archives, /, size: int = 28, mode: Mode = "L"):
    """6,000 training and 1,000 test images of each class, uint8 (N, size, size, 1 or 3).

    `mode` is "L" (one channel) or "RGB" (three equal ones, to test detectors of colour images).
    ids are "train/00000", "test/00000". MNIST's files have the same names: where both lie in
    mirrors, they lie in two folders.
    """
    return family(archives, CLASSES, size, mode)
