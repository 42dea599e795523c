"""How many images go through a network at a time, so that its memory is bounded."""

import logging
from collections.abc import Callable
from itertools import pairwise

import torch

log = logging.getLogger("nearnd")


class MicroBatch:
    """A number of images, halved whenever the memory of the GPU does not suffice."""

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError(f"a micro-batch is {size} images; it may be 1 or more")
        self.size = size

    def parts(self, n: int) -> list[slice]:
        """n images in as few parts as the size allows, their lengths equal or 1 apart."""
        count = -(-n // self.size)
        ends = [n * i // count for i in range(count + 1)]
        return [slice(a, b) for a, b in pairwise(ends)]

    def halve(self) -> None:
        """After torch.OutOfMemoryError. MemoryError if one image was too much already."""
        if self.size == 1:
            raise MemoryError(
                "the GPU's memory does not suffice for one image at a time: use a smaller network"
                " (generators: nf, channel_mult, blocks; backbones: model) or smaller images"
                " (datasets: size), let fewer jobs run on the GPU (--resources gpu=1), or compute"
                " on the CPU (device)"
            )
        self.size = -(-self.size // 2)
        log.warning(f"out of GPU memory: goes on with {self.size} images at a time")
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def each(self, n: int, work: Callable[[slice], None]) -> None:
        """Calls work(rows) for parts of the n images, in order; a part that runs out of memory is
        done again in smaller ones."""
        first = 0
        while first < n:
            rows = slice(first, min(first + self.size, n))
            try:
                work(rows)
                first = rows.stop
                continue
            except torch.OutOfMemoryError:
                pass
            self.halve()  # not in the except clause, which keeps the failed part's tensors alive
