"""SVHN, cropped: house numbers photographed from the street, one digit in the middle of 32x32."""

import numpy as np

from nearnd.datasets._labelled import labelled
from nearnd.datasets._mat import read_mat
from nearnd.datasets._reader import reader

CLASSES = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
LINKS = ["http://ufldl.stanford.edu/housenumbers/"]
ARCHIVES = {
    "train_32x32.mat": {
        "sha256": "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
        "bytes": 182_040_794,
    },
    "test_32x32.mat": {
        "sha256": "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
        "bytes": 64_275_384,
    },
}
LICENCE = "non-commercial use only"
IMAGES = {"train": 73_257, "test": 26_032, "channels": 3}


@reader
def build(archives, /, size: int = 32):
    """73,257 training and 26,032 test images, uint8 (N, size, size, 3).

    The 531,131 easier "extra" images are not used by the papers. ids are "train/00000",
    "test/00000", positions in the file.
    """
    splits = {}
    for split in ("train", "test"):
        file = archives[f"{split}_32x32.mat"]
        x, y = read_mat(file, "X", "y")
        if x.dtype != np.uint8 or x.shape != (32, 32, 3, len(y)) or y.min() < 1 or y.max() > 10:
            raise ValueError(
                f"{file} holds X {x.dtype} {x.shape} and y {y.shape} from {y.min()} to"
                f" {y.max()}, expected X uint8 (32, 32, 3, N) and y (N,) from 1 to 10"
            )
        pixels = np.ascontiguousarray(x.transpose(3, 0, 1, 2))  # (N, H, W, C)
        digits = y.astype(np.int64) % 10  # the file says 10 for 0
        splits[split] = labelled(pixels, digits, split, CLASSES, file, size)
    return splits, CLASSES
