"""Fakes that are made of normal images, one by one."""

from collections.abc import Callable

import numpy as np

TRIES = 10  # of an image on which nothing is to be seen of what was put there


def in_turn(n: int, of: int, seed: int) -> np.ndarray:
    """int (n,): which of `of` normal images each fake is made of. All come once before any comes
    again, each time in another order; fewer are part of more. ValueError if there are none."""
    if not of:
        raise ValueError("there are no normal images to make fakes of")
    turns = range(-(-n // of))
    orders = [np.random.default_rng([seed, turn]).permutation(of) for turn in turns]
    return np.concatenate([np.zeros(0, int), *orders])[:n]


def each(n: int, seed: int, normal: np.ndarray, one: Callable) -> np.ndarray:
    """n fakes uint8 (n, H, W, C) of normal images (N, H, W, C), which come equally often, in random
    order; each depends on its number and the seed alone. one(image, rng) -> float (H, W, C).

    ValueError if there are no normal images.
    """
    out = np.empty((n, *normal.shape[1:]), np.uint8)
    for i, row in enumerate(in_turn(n, len(normal), seed)):
        image, rng = np.asarray(normal[row]), np.random.default_rng([seed, i, 1])
        for _ in range(TRIES):
            out[i] = np.rint(one(image, rng)).clip(0, 255)
            if (out[i] != image).any():
                break
    return out
