"""The score network NCSN++ / DDPM++: a U-Net of residual blocks that knows the noise level."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nearnd.networks.attention import PixelAttention
from nearnd.networks.embedding import Fourier, Positional
from nearnd.networks.init import TINY, conv, linear, norm
from nearnd.networks.resample import DownConv, down, up
from nearnd.networks.residual import ResBlock


class Level(nn.Module):
    """The blocks of one resolution and what leads to the next; only `UNet` looks inside."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList()  # residual blocks and attention, in order


class UNet(nn.Module):
    """Score network, x (N, C, S, S) and noise level (N,) or (1,) -> (N, C, S, S).

    size: S, divisible by 2 ** (levels - 1). attention: the map sizes with attention.
    embedding: "fourier" (the level is sigma) or "positional" (the level is 999 t).
    inner: how the image enters deeper levels: "none", "residual" (CIFAR-10), "skip" (256 px).
    outer: "none", or "skip", the output as a sum over the levels (256 px).
    centered: whether x is in [-1, 1] already. by_sigma: divide the output by the noise level.
    Defaults: VE NCSN++ for CIFAR-10, continuous. Modules are made in the order of the reference
    code, so that its checkpoints can be walked in step (`generators/_reference.py`).
    Source: Song et al., "Score-Based Generative Modeling through SDEs", appendix H.
    """

    def __init__(
        self,
        *,
        size: int = 32,
        channels: int = 3,
        nf: int = 128,
        channel_mult: Sequence[int] = (1, 2, 2, 2),
        blocks: int = 4,
        attention: Sequence[int] = (16,),
        dropout: float = 0.1,
        embedding: str = "fourier",
        fir: bool = True,
        inner: str = "residual",
        outer: str = "none",
        centered: bool = False,
        by_sigma: bool = True,
    ) -> None:
        super().__init__()
        levels = len(channel_mult)
        if size % 2 ** (levels - 1):
            raise ValueError(
                f"image size {size} cannot be halved {levels - 1} times: choose a size divisible by"
                f" {2 ** (levels - 1)}, or fewer entries in channel_mult {list(channel_mult)}"
            )
        for name, value, known in (
            ("embedding", embedding, ("fourier", "positional")),
            ("inner", inner, ("none", "residual", "skip")),
            ("outer", outer, ("none", "skip")),
        ):
            if value not in known:
                raise ValueError(f"{name} is {value!r}; it may be one of {', '.join(known)}")
        self.fir, self.inner, self.outer = fir, inner, outer
        self.centered, self.by_sigma = centered, by_sigma
        width = 4 * nf

        def res(c: int, out: int, to: str = "") -> ResBlock:
            return ResBlock(c, out, width, dropout, to=to, fir=fir)

        self.features = Fourier(nf) if embedding == "fourier" else Positional(nf)
        self.dense0 = linear(self.features.out, width)
        self.dense1 = linear(width, width)
        self.stem = conv(channels, nf, 3)

        c, image = nf, channels  # widths of the map and of the image pyramid
        widths = [c]  # of the maps that wait for the decoder
        self.encoder = nn.ModuleList()
        for i, mult in enumerate(channel_mult):
            level = Level()
            for _ in range(blocks):
                level.blocks.append(res(c, nf * mult))
                c = nf * mult
                if size >> i in attention:
                    level.blocks.append(PixelAttention(c))
                widths.append(c)
            if i < levels - 1:
                level.down = res(c, c, "down")
                if inner == "residual":
                    level.image = DownConv(image, c, fir)
                    image = c
                elif inner == "skip":
                    level.image = conv(image, c, 1)
                widths.append(c)
            self.encoder.append(level)

        self.middle = nn.ModuleList([res(c, c), PixelAttention(c), res(c, c)])

        self.decoder = nn.ModuleList()
        for i in reversed(range(levels)):
            level = Level()
            for _ in range(blocks + 1):
                level.blocks.append(res(c + widths.pop(), nf * channel_mult[i]))
                c = nf * channel_mult[i]
            if size >> i in attention:
                level.blocks.append(PixelAttention(c))
            if outer == "skip":
                level.norm = norm(c)
                level.image = conv(c, channels, 3, scale=TINY)
            if i > 0:
                level.up = res(c, c, "up")
            self.decoder.append(level)
        if outer == "none":
            self.norm = norm(c)
            self.head = conv(c, channels, 3, scale=TINY)

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        e = self.dense1(F.silu(self.dense0(self.features(level))))  # (N or 1, 4 nf)
        e = F.silu(e)
        if not self.centered:
            x = 2 * x - 1
        h = self.stem(x)

        skips = [h]
        for part in self.encoder:
            for block in part.blocks:
                if isinstance(block, PixelAttention):
                    skips[-1] = h = block(h)
                else:
                    h = block(h, e)
                    skips.append(h)
            if hasattr(part, "down"):
                h = part.down(h, e)
                if self.inner == "residual":
                    x = h = (part.image(x) + h) * math.sqrt(0.5)
                elif self.inner == "skip":
                    x = down(x, self.fir)
                    h = part.image(x) + h
                skips.append(h)

        first, attend, last = self.middle
        h = last(attend(first(h, e)), e)

        y = None
        for part in self.decoder:
            for block in part.blocks:
                if isinstance(block, PixelAttention):
                    h = block(h)
                else:
                    h = block(torch.cat([h, skips.pop()], 1), e)
            if self.outer == "skip":
                out = part.image(F.silu(part.norm(h)))
                y = out if y is None else up(y, self.fir) + out
            if hasattr(part, "up"):
                h = part.up(h, e)
        if self.outer == "none":
            y = self.head(F.silu(self.norm(h)))
        y = y.float()  # (N, C, S, S)
        return y / level.float()[:, None, None, None] if self.by_sigma else y
