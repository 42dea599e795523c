"""Which images a step of training sees: one shuffled epoch after the other, cut into batches."""

from functools import lru_cache

import numpy as np


def steps_per_epoch(n: int, batch: int) -> int:
    """Batches that cover n images once."""
    return -(-n // batch)


def batch_rows(step: int, n: int, batch: int, seed: int) -> np.ndarray:
    """The indices in 0..n-1 of one step's images, (batch,); depends on the arguments alone.

    The epochs are one chain, so every batch is full and every image comes equally often.
    """
    first, last = step * batch, (step + 1) * batch
    epochs = range(first // n, (last - 1) // n + 1)
    chain = np.concatenate([_order(n, seed, epoch) for epoch in epochs])
    return chain[first - epochs[0] * n : last - epochs[0] * n]


def rows_apart(step: int, n: int, batch: int, seed: int) -> np.ndarray:
    """As `batch_rows`, but no image comes twice in a step: each epoch is cut by itself, into parts
    of at most `batch` images that are equal or one image apart."""
    epoch, part = divmod(step, steps_per_epoch(n, batch))
    return np.array_split(_order(n, seed, epoch), steps_per_epoch(n, batch))[part]


@lru_cache(maxsize=2)
def _order(n: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch]).permutation(n)
