"""Layers with an equalized learning rate: weights of unit variance, which are scaled when used.

So Adam, whose steps do not see how large a weight is, changes all layers at the same relative
speed.
Source: Karras et al., "Progressive Growing of GANs", section 4.1; StyleGAN2 uses it throughout.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nearnd.networks.resample import down, filtered


def leaky(x: Tensor) -> Tensor:
    """Leaky ReLU with slope 0.2, times sqrt(2), so that the variance stays about what it was."""
    return F.leaky_relu(x, 0.2) * math.sqrt(2)


class Dense(nn.Module):
    """(N, features) -> (N, out). `rate` multiplies the learning rate of its weights, `bias` is the
    initial one."""

    def __init__(
        self, features: int, out: int, *, act: bool = False, rate: float = 1.0, bias: float = 0.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out, features) / rate)
        self.bias = nn.Parameter(torch.full((out,), bias / rate))
        self.act, self.rate, self.scale = act, rate, rate / math.sqrt(features)

    def forward(self, x: Tensor) -> Tensor:
        x = F.linear(x, self.weight * self.scale, self.bias * self.rate)  # (N, out)
        return leaky(x) if self.act else x


class EqualConv(nn.Module):
    """A convolution (N, channels, H, W) -> (N, out, H, W), or of half the height and width if
    `halve`: with the FIR filter before it. kernel: 1 or 3. gain: of its output."""

    def __init__(
        self,
        channels: int,
        out: int,
        kernel: int = 3,
        *,
        act: bool = True,
        bias: bool = True,
        halve: bool = False,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out, channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(out)) if bias else None
        self.act, self.halve, self.gain = act, halve, gain
        self.scale = 1 / math.sqrt(channels * kernel**2)

    def forward(self, x: Tensor) -> Tensor:
        w = self.weight * self.scale  # (out, C, k, k)
        if not self.halve:
            x = F.conv2d(x, w, self.bias, padding=w.shape[-1] // 2)  # (N, out, H, W)
        elif w.shape[-1] == 1:
            x = F.conv2d(down(x, fir=True), w, self.bias)  # (N, out, H/2, W/2)
        else:
            x = F.conv2d(filtered(x, padding=2), w, self.bias, stride=2)  # (N, out, H/2, W/2)
        x = leaky(x) if self.act else x
        return x if self.gain == 1 else x * self.gain
