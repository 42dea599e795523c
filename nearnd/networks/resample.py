"""Halving and doubling of feature maps, with the FIR filter of NCSN++ or by means and copies."""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nearnd.networks.init import conv

TAPS = (1.0, 3.0, 3.0, 1.0)  # of the FIR filter along one axis, before normalisation
SMALL = 16  # maps up to this size are resampled by one matrix product on CPUs


def down(x: Tensor, fir: bool) -> Tensor:
    """(N, C, H, W) -> (N, C, H/2, W/2): FIR filter [1,3,3,1]/8 per axis with zero borders, or the
    mean of 2 x 2."""
    if not fir:
        return F.avg_pool2d(x, 2)
    if _small(x, SMALL):
        return _product(x, _matrix(x.shape[2], 2, 1))
    return F.conv2d(x, _filter(x), stride=2, padding=1, groups=x.shape[1])  # (N, C, H/2, W/2)


def up(x: Tensor, fir: bool) -> Tensor:
    """(N, C, H, W) -> (N, C, 2H, 2W): zeros between pixels and the FIR filter x 4, or copies."""
    if not fir:
        return F.interpolate(x, scale_factor=2.0, mode="nearest")
    if _small(x, SMALL // 2):
        return _product(x, 4 * _matrix(2 * x.shape[2], 2, 1).mT)  # the transpose of halving
    return F.conv_transpose2d(x, 4 * _filter(x), stride=2, padding=1, groups=x.shape[1])


class DownConv(nn.Module):
    """3 x 3 convolution that halves the map: FIR filter before it, or stride 2 alone."""

    def __init__(self, channels: int, out: int, fir: bool) -> None:
        super().__init__()
        self.conv = conv(channels, out, 3, padding=0)
        self.fir = fir

    def forward(self, x: Tensor) -> Tensor:
        if not self.fir:
            x = F.pad(x, (0, 1, 0, 1))
        elif _small(x, SMALL):
            x = _product(x, _matrix(x.shape[2], 1, 2))  # (N, C, H+1, W+1)
        else:
            x = F.conv2d(x, _filter(x), padding=2, groups=x.shape[1])  # (N, C, H+1, W+1)
        return F.conv2d(x, self.conv.weight, self.conv.bias, stride=2)  # (N, out, H/2, W/2)


def _filter(x: Tensor) -> Tensor:
    """The FIR filter for every channel of x, (C, 1, 4, 4)."""
    k = torch.tensor(TAPS)
    k = torch.outer(k, k) / k.sum() ** 2
    return k.to(x.device, x.dtype).expand(x.shape[1], 1, 4, 4)


def _small(x: Tensor, limit: int) -> bool:
    return x.device.type == "cpu" and x.shape[2] == x.shape[3] <= limit


@lru_cache
@torch.inference_mode(False)  # sampling may come first, and training needs a normal tensor
def _matrix(size: int, stride: int, padding: int) -> Tensor:
    """The FIR filter of a whole square map as one matrix, (out^2, size^2)."""
    k = torch.tensor(TAPS)
    eye = torch.eye(size)[:, None]  # the filtered unit vectors are the columns of the 1-d matrix
    m = F.conv1d(eye, (k / k.sum())[None, None], stride=stride, padding=padding)[:, 0].mT
    return torch.kron(m, m)


def _product(x: Tensor, m: Tensor) -> Tensor:
    """m applied to every channel's map; keeps the memory format of x."""
    side = round(m.shape[0] ** 0.5)
    m = m.to(x.dtype)
    if x.is_contiguous(memory_format=torch.channels_last):
        y = m @ x.permute(0, 2, 3, 1).flatten(1, 2)  # (N, out^2, C)
        return y.unflatten(1, (side, side)).permute(0, 3, 1, 2)  # (N, C, out, out)
    return (x.flatten(2) @ m.mT).unflatten(2, (side, side))  # (N, C, out, out)
