"""The residual block of NCSN++ and DDPM++ (BigGAN type), with optional halving or doubling."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn

from nearnd.networks.init import TINY, conv, linear, norm
from nearnd.networks.resample import down, up


class ResBlock(nn.Module):
    """(N, C, H, W), noise features (N, E) -> (N, out, H', W'); H' = H/2 ("down"), 2H ("up") or H.

    Source: score_sde ResnetBlockBigGANpp with skip_rescale. The noise features come in with their
    SiLU already applied, since it is the same in all blocks.
    """

    def __init__(
        self, channels: int, out: int, features: int, dropout: float, *, to: str = "", fir: bool
    ) -> None:
        super().__init__()
        self.norm0 = norm(channels)
        self.conv0 = conv(channels, out, 3)
        self.dense = linear(features, out)
        self.norm1 = norm(out)
        self.conv1 = conv(out, out, 3, scale=TINY)
        self.skip = conv(channels, out, 1) if channels != out or to else None
        self.dropout, self.to, self.fir = dropout, to, fir

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        h = F.silu(self.norm0(x))
        if self.to:
            resample = {"down": down, "up": up}[self.to]
            h, x = resample(h, self.fir), resample(x, self.fir)
        h = self.conv0(h) + self.dense(e)[:, :, None, None]  # (N, out, H', W')
        h = F.silu(self.norm1(h))
        if self.dropout:
            h = F.dropout(h, self.dropout, self.training)
        h = self.conv1(h)
        if self.skip is not None:
            x = self.skip(x)
        return (x + h) * math.sqrt(0.5)
