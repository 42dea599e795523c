"""Products of float64 matrices on a processor: in one thread."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """torch computes in one thread inside.

    MKL's threads wait for each other without a pause. Where four of them are on two cores, the
    product of 4,096 x 384 numbers with themselves takes 6 s of a core, in one thread 16 ms.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
