"""Noise below the last bit of a pixel, which makes a density of the probability of bytes.

Either gives u in [0, 1) of standard-normal numbers eps, both (n, C, S, S), and log q(u | x) (n,);
x (n, C, S, S) are the bytes over 255.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nearnd.networks.dense_block import DenseBlock, DenseNet
from nearnd.networks.glow import ActNorm, AffineCoupling, Invertible1x1, squeeze, unsqueeze


class Uniform(nn.Module):
    """u is uniform, whatever the image."""

    def forward(self, x: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        return torch.special.ndtr(eps), x.new_zeros(len(x))


class Variational(nn.Module):
    """A flow that sees the image makes u (Ho et al. 2019, "Flow++", section 3.1): of four couplings
    with densely connected networks, as in the code of DenseFlow."""

    def __init__(self, channels: int, width: int, layers: int, growth: int, steps: int = 4):
        super().__init__()
        narrow = max(1, growth // 4)
        self.seen = nn.Sequential(  # the image at half its size
            DenseBlock(channels, width, layers, narrow),
            nn.Conv2d(width, width, 2, stride=2),
            DenseBlock(width, width, layers, narrow),
        )

        def net(c: int, out: int) -> nn.Module:
            return DenseNet(c, out, width, layers, growth)

        c = 4 * channels
        self.base = ActNorm(c)  # the mean and deviation of the noise, of each channel
        self.mixes = nn.ModuleList(Invertible1x1(c) for _ in range(steps + 1))
        self.couplings = nn.ModuleList(AffineCoupling(c, net, width) for _ in range(steps))

    def forward(self, x: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        seen = self.seen(2 * x - 1)  # (n, width, S / 2, S / 2)
        h, log_det = self.base(squeeze(eps))  # (n, 4 C, S / 2, S / 2), (n,)
        log_q = log_normal(eps) - log_det
        for mix, coupling in zip(self.mixes[:-1], self.couplings, strict=True):
            h, log_det = mix(h)
            log_q = log_q - log_det
            h, log_det = coupling(h, seen)
            log_q = log_q - log_det
        h, log_det = self.mixes[-1](h)
        h = unsqueeze(h)  # (n, C, S, S)
        log_sigmoid = F.logsigmoid(h) + F.logsigmoid(-h)  # the logarithm of the slope
        return h.sigmoid(), log_q - log_det - log_sigmoid.sum((1, 2, 3))


def log_normal(x: Tensor) -> Tensor:
    """The log density (n,) of x (n, ...) under the standard normal law."""
    return -0.5 * (x.square() + math.log(2 * math.pi)).flatten(1).sum(1)
