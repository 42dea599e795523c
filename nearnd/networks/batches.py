"""Which images a step of training sees: a new order every epoch, the last partial batch kept."""

from __future__ import annotations

from functools import lru_cache

import numpy as np


def steps_per_epoch(n: int, batch: int) -> int:
    """Batches that cover n images once."""
    return -(-n // batch)


def batch_rows(step: int, n: int, batch: int, seed: int) -> np.ndarray:
    """The indices in 0..n-1 of one step's images; depends on the arguments alone."""
    epoch, i = divmod(step, steps_per_epoch(n, batch))
    return _order(n, seed, epoch)[i * batch : (i + 1) * batch]


@lru_cache(maxsize=2)
def _order(n: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch]).permutation(n)
