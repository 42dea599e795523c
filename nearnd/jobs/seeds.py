"""One seed for each image."""

import zlib

import numpy as np

from nearnd.files.arrays import release


def image_seeds(seed: int, n: int) -> np.ndarray:
    """n seeds in [0, 2^32) for images to be made, uint64 (n,); the first do not depend on n."""
    return np.random.SeedSequence(seed).generate_state(n).astype(np.uint64)


def pixel_seeds(pixels: np.ndarray) -> np.ndarray:
    """A seed for each image (N, ...), uint64 (N,), of its content alone: one that is embedded by
    chance is so in the same way wherever it lies."""
    seeds = np.empty(len(pixels), np.uint64)
    for i, image in enumerate(pixels):
        seeds[i] = zlib.crc32(np.ascontiguousarray(image))
        if i % 256 == 0:
            release(pixels)
    return seeds
