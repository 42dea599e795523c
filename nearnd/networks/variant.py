"""The choices by which published score networks differ, and the layers that follow from them."""

import math
from dataclasses import dataclass

from torch import nn

from nearnd.networks.attention import PixelAttention
from nearnd.networks.resample import DownConv, Resample, UpConv
from nearnd.networks.residual import ResBlock

KNOWN = {
    "embedding": ("fourier", "positional"),
    "resblock": ("biggan", "ddpm"),
    "inner": ("none", "residual", "skip"),
    "combine": ("sum", "cat"),
    "outer": ("none", "residual", "skip"),
}


@dataclass(frozen=True)
class Variant:
    """See `networks.unet.UNet`. ValueError if a name is none of KNOWN."""

    embedding: str
    resblock: str
    resample_conv: bool
    fir: bool
    inner: str
    combine: str
    outer: str
    rescale: bool
    dropout: float

    def __post_init__(self) -> None:
        for name, known in KNOWN.items():
            value = getattr(self, name)
            if value not in known:
                raise ValueError(f"{name} is {value!r}; it may be one of {', '.join(known)}")

    @property
    def gain(self) -> float:
        """What a sum of two maps is multiplied by."""
        return math.sqrt(0.5) if self.rescale else 1.0

    def block(self, channels: int, out: int, features: int, to: str = "") -> ResBlock:
        """A residual block."""
        return ResBlock(
            channels, out, features, self.dropout, self.gain,
            to=to, fir=self.fir, kind=self.resblock,
        )  # fmt: skip

    def halve(self, channels: int, features: int) -> nn.Module:
        """What leads to the next lower resolution."""
        if self.resblock != "ddpm":  # which leaves it to layers of their own
            return self.block(channels, channels, features, "down")
        if self.resample_conv:
            return DownConv(channels, channels, self.fir)
        return Resample("down", self.fir)

    def double(self, channels: int, features: int) -> nn.Module:
        """What leads to the next higher resolution."""
        if self.resblock != "ddpm":  # which leaves it to layers of their own
            return self.block(channels, channels, features, "up")
        if self.resample_conv:
            return UpConv(channels, channels, self.fir)
        return Resample("up", self.fir)

    def attention(self, channels: int) -> PixelAttention:
        return PixelAttention(channels, self.gain)
