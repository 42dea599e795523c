"""The residual blocks of NCSN++ and DDPM++."""

import torch
from torch import Tensor, nn

from nearnd.networks.dropout import kept, share
from nearnd.networks.init import NIN, TINY, conv, linear, norm
from nearnd.networks.norm import add_per_channel, group_norm
from nearnd.networks.resample import down, up


class ResBlock(nn.Module):
    """(N, C, H, W), noise features (N or 1, E) -> (N, out, H', W'), the sum of a path of two
    convolutions and a shortcut, times `gain`.

    to: "down" halves the map at the start of both, "up" doubles it. kind: "biggan", or "ddpm",
    whose shortcut differs and which does not resample. Source: score_sde ResnetBlockBigGANpp and
    ResnetBlockDDPMpp. The noise features come in with their SiLU already applied, since it is the
    same in all blocks.
    """

    def __init__(
        self,
        channels: int,
        out: int,
        features: int,
        dropout: float,
        gain: float,
        *,
        to: str = "",
        fir: bool = False,
        kind: str = "biggan",
    ) -> None:
        super().__init__()
        self.norm0 = norm(channels)
        self.conv0 = conv(channels, out, 3)
        self.dense = linear(features, out)
        self.norm1 = norm(out)
        self.conv1 = conv(out, out, 3, scale=TINY, gain=gain)
        self.skip = None
        if channels != out or to:
            self.skip = (
                NIN(channels, out, gain=gain)
                if kind == "ddpm"
                else conv(channels, out, 1, gain=gain)
            )
        self.dropout, self.gain, self.to, self.fir = dropout, gain, to, fir

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        h = group_norm(x, self.norm0)
        if self.to:
            resample = {"down": down, "up": up}[self.to]
            h, x = resample(h, self.fir), resample(x, self.fir)
        t = self.dense(e)  # (N or 1, out)
        one = t[0] if len(t) == 1 else None  # in sampling all images have one noise level
        h = self.conv0(h, shift=one)  # (N, out, H', W')
        h = add_per_channel(h, t) if one is None else h
        h = group_norm(h, self.norm1)
        scale = 1.0
        if self.dropout and self.training:
            h = h * kept(h, self.dropout)
            scale = 1 / share(self.dropout)
        h = self.conv1(h, scale)
        if self.skip is not None:
            return h + self.skip(x)
        return torch.add(h, x, alpha=self.gain)
