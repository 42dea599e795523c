"""Fakes that are normal images with something on them, one by one."""

from collections.abc import Callable

import numpy as np

TRIES = 10  # of an image on which nothing is to be seen of what was put there


def each(n: int, seed: int, normal: np.ndarray, one: Callable) -> np.ndarray:
    """n fakes uint8 (n, H, W, C) of normal images (N, H, W, C), which come equally often, in random
    order; each depends on its number and the seed alone. one(image, rng) -> float (H, W, C).

    ValueError if there are no normal images.
    """
    if not len(normal):
        raise ValueError("there are no normal images to put anything on")
    out = np.empty((n, *normal.shape[1:]), np.uint8)
    for i in range(n):
        turn, row = divmod(i, len(normal))
        order = np.random.default_rng([seed, turn]).permutation(len(normal))
        image, rng = np.asarray(normal[order[row]]), np.random.default_rng([seed, i, 1])
        for _ in range(TRIES):
            out[i] = np.rint(one(image, rng)).clip(0, 255)
            if (out[i] != image).any():
                break
    return out
