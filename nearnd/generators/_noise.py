"""Noise that belongs to an image, not to its batch."""

import numpy as np
import torch
from torch import Tensor


class ImageNoise:
    """Calls give successive standard-normal draws (N, *shape), of the shape that a call says or of
    the one given here; row i depends on seeds[i] alone.

    numpy's generator takes all 64 bits of a seed, torch's on CPUs only the lower 32.
    """

    def __init__(self, seeds: np.ndarray, shape: tuple[int, ...], device: torch.device) -> None:
        self.streams = [np.random.default_rng(int(seed)) for seed in seeds]
        self.shape, self.device = shape, device

    def __call__(self, *shape: int) -> Tensor:
        # from pinned memory a GPU copies while the processor draws the next ones
        pinned = self.device.type == "cuda"
        z = torch.empty(len(self.streams), *(shape or self.shape), pin_memory=pinned)  # (N, *shape)
        for stream, row in zip(self.streams, z.numpy(), strict=True):
            stream.standard_normal(dtype=np.float32, out=row)
        return z.to(self.device, non_blocking=pinned)
