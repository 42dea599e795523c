"""A normalizing flow on feature maps: affine couplings of channels, exactly invertible.

The steps are FrEIA's AllInOneBlock, of which the public FastFlow codes are made: one part of the
channels is scaled and moved by what a small network makes of the other, then each channel is scaled
and moved, then channels change places.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nearnd.networks.glow import Steps

GAIN = 0.1  # of the small network's output and of the channels' scales


class Coupling(nn.Module):
    """A step on maps (n, C, h, w), C >= 2, whose small network sees a neighbourhood of `kernel`."""

    def __init__(self, channels: int, kernel: int, hidden: float = 1.0, clamp: float = 2.0):
        super().__init__()
        self.own, self.clamp = channels - channels // 2, clamp
        wide = max(1, int(self.own * hidden))
        self.net = nn.Sequential(
            nn.Conv2d(self.own, wide, kernel, padding="same"),
            nn.ReLU(),
            nn.Conv2d(wide, 2 * (channels - self.own), kernel, padding="same"),
        )
        start = 2 * math.log(math.expm1(0.5 / GAIN))  # of which `_gain` makes 1
        self.scale = nn.Parameter(torch.full((channels, 1, 1), start))
        self.offset = nn.Parameter(torch.zeros(channels, 1, 1))
        self.register_buffer("place", torch.randperm(channels))

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Of the first channels of x: log scales and offsets (n, C // 2, h, w) of the others."""
        s, t = (GAIN * self.net(x)).chunk(2, 1)
        return self.clamp * torch.tanh(s), t

    def _gain(self) -> Tensor:
        return GAIN * F.softplus(self.scale, beta=0.5)  # (C, 1, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(n, C, h, w), and the log determinant (n,) of the Jacobian."""
        first, last = x[:, : self.own], x[:, self.own :]
        s, t = self._parts(first)
        gain = self._gain()
        y = torch.cat([first, last * s.exp() + t], 1) * gain + self.offset
        log_det = s.sum((1, 2, 3)) + x[0, 0].numel() * gain.log().sum()
        return y[:, self.place], log_det

    def inverse(self, y: Tensor) -> Tensor:
        """x (n, C, h, w) of y = forward(x)[0]."""
        y = torch.empty_like(y).index_copy_(1, self.place, y)
        y = (y - self.offset) / self._gain()
        first, last = y[:, : self.own], y[:, self.own :]
        s, t = self._parts(first)
        return torch.cat([first, (last - t) * (-s).exp()], 1)


class Flow(Steps):
    """Steps in a row: all with 3 x 3 neighbourhoods, or with every second one of single places."""

    def __init__(self, channels: int, steps: int, hidden: float = 1.0, mixed: bool = True):
        kernels = [1 if mixed and i % 2 else 3 for i in range(steps)]
        super().__init__(*(Coupling(channels, kernel, hidden) for kernel in kernels))
