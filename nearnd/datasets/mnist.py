"""MNIST: 70,000 handwritten digits, bright ink on black, with the official split."""

from nearnd.contracts import Mode
from nearnd.datasets._idx import family
from nearnd.datasets._reader import reader

CLASSES = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
LINKS = [
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
]
ARCHIVES = {
    "train-images-idx3-ubyte.gz": {"md5": "f68b3c2dcbeaaa9fbdd348bbdeb94873", "bytes": 9_912_422},
    "train-labels-idx1-ubyte.gz": {"md5": "d53e105ee54ea40749a09fcbcd1e9432", "bytes": 28_881},
    "t10k-images-idx3-ubyte.gz": {"md5": "9fb629c4189551a2d022fa330f9573f3", "bytes": 1_648_877},
    "t10k-labels-idx1-ubyte.gz": {"md5": "ec29112dd5afa0611ce80d1b7f02629c", "bytes": 4_542},
}
LICENCE = "commonly given as CC BY-SA 3.0; the original page states none"
IMAGES = {"train": 60_000, "test": 10_000, "channels": 1}


@reader
def build(archives, /, size: int = 28, mode: Mode = "L"):
    """60,000 training and 10,000 test digits, uint8 (N, size, size, 1 for mode "L" or 3 for "RGB").

    size 32 and mode RGB to test detectors of colour images on it. ids are "train/00000",
    "test/00000", as MNIST-C counts them. Fashion-MNIST's files have the same names: where both lie
    in mirrors, they lie in two folders.
    """
    return family(archives, CLASSES, size, mode)
