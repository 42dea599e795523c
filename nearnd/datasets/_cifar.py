"""The records of CIFAR-10's and CIFAR-100's binary archives.

The "python" archives of the same images are pickles, which can run code when they are loaded, and
torchvision reads only those; the binary ones, by the same authors, are plain bytes.
"""

import numpy as np

SIDE = 32
PIXELS = 3 * SIDE * SIDE


def records(content: bytes, name: str, n_labels: int) -> tuple[np.ndarray, np.ndarray]:
    """(uint8 (N, 32, 32, 3), int64 (N, n_labels)): `n_labels` bytes stand before each image.

    An image is its red, then green, then blue plane, each row by row. ValueError if the file does
    not end with a whole record. Source: https://www.cs.toronto.edu/~kriz/cifar.html
    """
    record = n_labels + PIXELS
    if not content or len(content) % record:
        raise ValueError(
            f"{name} has {len(content)} bytes, which is not a whole number of records of {record}"
        )
    rows = np.frombuffer(content, np.uint8).reshape(-1, record)
    planes = rows[:, n_labels:].reshape(-1, 3, SIDE, SIDE)  # (N, C, H, W)
    pixels = np.ascontiguousarray(planes.transpose(0, 2, 3, 1))  # (N, H, W, C)
    return pixels, rows[:, :n_labels].astype(np.int64)
