"""The MNIST family: images and labels in IDX files, 28x28 grey pixels.

torchvision's reader takes unpacked files in a folder tree of its own and needs torch, which the
jobs that read data do without; the format is a header of a few bytes.
Source: http://yann.lecun.com/exdb/mnist/
"""

from pathlib import Path

import numpy as np

from nearnd.datasets._labelled import labelled
from nearnd.datasets._members import gunzipped

SIDE = 28
MOST = 200_000_000  # bytes: twice the largest file (124,800 letters)
FILES = {  # MNIST's and Fashion-MNIST's
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}


def family(archives, classes: list[str], size: int, mode: str):
    """Splits and classes of a set that has MNIST's four files."""
    splits = {}
    for split, names in FILES.items():
        images, labels = (archives[name] for name in names)
        pixels, numbers = idx(images, str(images), (SIDE, SIDE)), idx(labels, str(labels), ())
        splits[split] = labelled(pixels, numbers, split, classes, images, size, mode)
    return splits, classes


def idx(source: Path | bytes, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """uint8 (N, *shape) from a gzipped IDX file or its content; ValueError naming it if wrong."""
    content = gunzipped(source, name, MOST)
    ndim = 1 + len(shape)
    start = 4 + 4 * ndim
    if len(content) < start or content[:4] != bytes([0, 0, 8, ndim]):
        raise ValueError(f"{name} does not begin as an IDX file of bytes with {ndim} axes")
    found = tuple(int(n) for n in np.frombuffer(content, ">u4", ndim, offset=4))
    if found[1:] != shape or len(content) - start != np.prod(found):
        raise ValueError(
            f"{name} is an IDX file of {found} with {len(content) - start} bytes of data,"
            f" expected (N, {', '.join(map(str, shape))}) and as many bytes"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(found)
