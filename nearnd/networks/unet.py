"""The score network NCSN++ / DDPM++: a U-Net of residual blocks that knows the noise level."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nearnd.networks.embedding import Fourier, Positional
from nearnd.networks.init import TINY, conv, linear, norm
from nearnd.networks.levels import DecoderLevel, EncoderLevel
from nearnd.networks.norm import group_norm
from nearnd.networks.precision import autocast, compute_dtype
from nearnd.networks.variant import Variant


class UNet(nn.Module):
    """Score network, x (N, C, S, S) and noise level (N,) or (1,) -> (N, C, S, S).

    size: S, divisible by 2 ** (levels - 1). attention: the map sizes with attention.
    embedding: "fourier" (the level is sigma) or "positional" (999 t, or the number of one of N
    levels). by_sigma: divide the output by the level. centered: whether x is in [-1, 1] already.
    resblock: "biggan", or "ddpm" with halving and doubling in layers of their own, by convolutions
    if `resample_conv`. fir: halving and doubling filter (`networks.resample`).
    inner: how the image enters deeper levels: "none", "residual" (CIFAR-10) or "skip" (256 px),
    there joined by "sum" or "cat" (`combine`).
    outer: "none", or the output is a sum over the levels: "skip" (256 px) or "residual".
    rescale: sums of two maps are divided by sqrt(2).
    Defaults: VE NCSN++ for CIFAR-10, continuous. Modules are made in the order of the reference
    code, so that its checkpoints can be walked in step (`generators/_reference.py`).
    Source: Song et al., "Score-Based Generative Modeling through SDEs", appendix H.
    """

    exact = ("dense0", "dense1", "stem")  # float32 always: see forward

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
        by_sigma: bool = True,
        centered: bool = False,
        resblock: str = "biggan",
        resample_conv: bool = True,
        fir: bool = True,
        inner: str = "residual",
        combine: str = "sum",
        outer: str = "none",
        rescale: bool = True,
    ) -> None:
        super().__init__()
        levels, width = len(channel_mult), 4 * nf
        if size % 2 ** (levels - 1):
            raise ValueError(
                f"image size {size} cannot be halved {levels - 1} times: choose a size divisible by"
                f" {2 ** (levels - 1)}, or fewer entries in channel_mult {list(channel_mult)}"
            )
        if by_sigma and embedding == "positional":
            raise ValueError(
                "by_sigma is true and embedding is 'positional', whose level is no sigma: set"
                " by_sigma to false and divide the output by the sigma of the level"
            )
        variant = Variant(
            embedding, resblock, resample_conv, fir, inner, combine, outer, rescale, dropout
        )
        self.size, self.centered, self.by_sigma = size, centered, by_sigma

        self.features = Fourier(nf) if embedding == "fourier" else Positional(nf)
        self.dense0 = linear(self.features.out, width)
        self.dense1 = linear(width, width)
        self.stem = conv(channels, nf, 3)

        c, image = nf, channels  # widths of the map and of the image beside it
        skips = [c]  # widths of the maps that wait for the decoder
        self.encoder = nn.ModuleList()
        for i, mult in enumerate(channel_mult):
            attend, last = size >> i in attention, i == levels - 1
            level = EncoderLevel(c, nf * mult, image, width, blocks, attend, last, variant)
            self.encoder.append(level)
            skips += level.widths
            c, image = skips[-1], level.image_width

        middle = [variant.block(c, c, width), variant.attention(c), variant.block(c, c, width)]
        self.middle = nn.ModuleList(middle)

        image = 0
        self.decoder = nn.ModuleList()
        for i in reversed(range(levels)):
            out, own = nf * channel_mult[i], [skips.pop() for _ in range(blocks + 1)]
            attend, last = size >> i in attention, i == 0
            level = DecoderLevel(c, own, out, image, channels, width, attend, last, variant)
            self.decoder.append(level)
            c = image = out
        self.norm = self.head = None
        if outer != "skip":
            self.norm, self.head = norm(c), conv(c, channels, 3, scale=TINY)

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        kind = compute_dtype(x)
        # float32 up to the first map: bfloat16 would round away the smallest noise
        with autocast(x.device, torch.float32):
            e = self.dense1(F.silu(self.dense0(self.features(level))))  # (N or 1, 4 nf)
            e = F.silu(e)
            if not self.centered:
                x = 2 * x - 1
            x = x.contiguous(memory_format=torch.channels_last)
            h = self.stem(x)  # (N, nf, S, S)
        x, h = (a.to(kind, memory_format=torch.channels_last) for a in (x, h))

        skips = [h]
        for part in self.encoder:
            maps, x = part(skips[-1], x, e)
            skips += maps
        first, attend, last = self.middle
        h = last(attend(first(skips[-1], e)), e)
        y = None
        for part in self.decoder:
            h, y = part(h, skips, y, e)
        if self.head is not None:
            y = self.head(group_norm(h, self.norm))
        y = y.float()  # (N, C, S, S)
        return y / level.float()[:, None, None, None] if self.by_sigma else y
