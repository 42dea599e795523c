"""How a network sees stored pixels, as part of a network: for graphs that leave PyTorch.

The same numbers as `transform.view` gives on a CPU. Resizing there is whole-number arithmetic: the
weights of a triangle as 16-bit numbers, the columns first, and rounding after each of both passes
(`aten/src/ATen/native/cpu/UpSampleKernel.cpp`). It is done here as products with float64 matrices
of these whole numbers, which are exact.
"""

import math

import torch
from torch import Tensor, nn

from nearnd.networks.transform import View

LUMA = (0.299, 0.587, 0.114)  # of colours, where a network takes grey ones (transform.py)


class Viewed(nn.Module):
    """uint8 (n, S, S, C) of one side S to float32 (n, channels, crop, crop), as `view` does."""

    def __init__(self, how: View, side: int):
        super().__init__()
        self.start = round((how.resize - how.crop) / 2)
        self.crop, self.channels = how.crop, len(how.mean)
        self.bits = None
        if side != how.resize:
            if how.bicubic:
                raise ValueError(
                    f"images of {side} pixels are resized to {how.resize} by cubic interpolation,"
                    f" which cannot be exported: set `size: {how.resize}` in the dataset's entry"
                )
            weights, self.bits = whole_weights(side, how.resize)
            rows = weights[self.start : self.start + how.crop]  # those that are not cut away
            self.register_buffer("weights", rows)  # (crop, S)
        for name, values in (("mean", how.mean), ("std", how.std)):
            self.register_buffer(name, 255 * torch.tensor(values))  # (channels,)

    def forward(self, pixels: Tensor) -> Tensor:
        if self.bits is None:
            window = slice(self.start, self.start + self.crop)
            x = pixels[:, window, window].float()  # (n, crop, crop, C)
        else:
            x = pixels.movedim(-1, 1).double()  # (n, C, S, S)
            x = self._rounded(x @ self.weights.T)  # (n, C, S, crop)
            x = self._rounded(self.weights @ x).movedim(1, -1).float()  # (n, crop, crop, C)
        if x.shape[3] == 1:
            x = x.expand(-1, -1, -1, self.channels)
        elif self.channels == 1:
            x = (x * torch.tensor(LUMA)).sum(3, keepdim=True)
        return ((x - self.mean) / self.std).movedim(-1, 1)

    def _rounded(self, sums: Tensor) -> Tensor:
        """Grey levels of sums of whole numbers."""
        return torch.floor((sums + 2 ** (self.bits - 1)) / 2**self.bits).clamp(0, 255)


def whole_weights(side: int, to: int) -> tuple[Tensor, int]:
    """How much each of `side` pixels is of each of `to` ones, whole numbers float64 (to, side) that
    are to be divided by 2^bits; and these bits, as many as leave the largest below 2^15."""
    scale = side / to
    reach = max(scale, 1.0)  # half of the triangle's base: wider where the image shrinks
    weights = torch.zeros(to, side, dtype=torch.float64)
    for i, row in enumerate(weights):
        middle = scale * (i + 0.5)
        first = max(int(middle - reach + 0.5), 0)
        last = min(int(middle + reach + 0.5), side)
        at = torch.arange(first, last, dtype=torch.float64)
        part = (1 - ((at - middle + 0.5) / reach).abs()).clamp(min=0)
        row[first:last] = part / part.sum()
    largest, bits = float(weights.max()), 0
    while bits < 22 and math.floor(0.5 + largest * 2 ** (bits + 1)) < 2**15:
        bits += 1
    return torch.floor(0.5 + weights * 2**bits), bits
