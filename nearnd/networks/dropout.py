"""Dropout whose random numbers cost less than the matrix products around it, on a CPU too."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

LEVELS = 2**16  # on CPUs, p is a multiple of 1 / LEVELS


class Dropout(nn.Dropout):
    """nn.Dropout with the masks of `kept`, or with those of `dropping`."""

    masks: Callable[[Tensor, float], Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.p == 0 or not (self.training or self.masks):
            return x
        if self.masks:
            return x * self.masks(x, self.p) / (1 - self.p)
        return x * kept(x, self.p).mul_(1 / share(self.p))


def share(p: float) -> float:
    """The share of values that `kept` keeps."""
    return 1 - round(p * LEVELS) / LEVELS


def kept(x: Tensor, p: float) -> Tensor:
    """A mask like x (shape, dtype, memory): 0 with probability p, else 1.

    On CPUs, four elements share a 64-bit random number: PyTorch's own dropout draws a number per
    element, which takes a quarter of a training step of ViT-B/16.
    """
    dropped = round(p * LEVELS)
    if x.device.type != "cpu":
        return (torch.rand_like(x, dtype=torch.float32) >= dropped / LEVELS).to(x.dtype)
    stream = np.random.SFC64(int(torch.randint(2**62, ())))  # twice as fast as torch's own
    draws = torch.from_numpy(stream.random_raw(-(-x.numel() // 4)))
    levels = draws.view(torch.int16)[: x.numel()]  # uniform in [-2^15, 2^15)
    like = torch.empty_like(x, dtype=torch.int16)  # its strides: elements in the order of memory
    keep = levels.ge_(dropped - LEVELS // 2).as_strided(like.shape, like.stride())  # 0 or 1
    return keep.to(x.dtype)


@contextmanager
def dropping(net: nn.Module, seeds: np.ndarray, draw: int) -> Iterator[None]:
    """Inside, the network drops values in evaluation mode too: of image i of a batch (N, ...) those
    that seeds[i] (N,) and the number of the draw say, whatever its neighbours are."""
    streams = [np.random.Generator(np.random.SFC64([int(seed), draw])) for seed in seeds]

    def masks(x: Tensor, p: float) -> Tensor:
        drawn = np.stack([stream.random(x.shape[1:], np.float32) for stream in streams])
        return torch.from_numpy(drawn >= p).to(x)  # (N, ...)

    layers = [module for module in net.modules() if isinstance(module, Dropout)]
    for layer in layers:
        layer.masks = masks
    try:
        yield
    finally:
        for layer in layers:
            layer.masks = None
