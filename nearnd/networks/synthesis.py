"""StyleGAN2's synthesis network: from one w for each layer, and noise, to images.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", figures 2d and 7.
"""

import math

import torch
from torch import Tensor, nn

from nearnd.networks.equalized import Dense, EqualConv, leaky
from nearnd.networks.modulated import modulated
from nearnd.networks.resample import up

ARCHITECTURES = ("skip", "residual", "plain")
HALF = math.sqrt(0.5)  # a sum of two maps is multiplied by


def sides(size: int) -> list[int]:
    """The sides of the maps from 4 to `size` pixels. ValueError if it is no power of two from 8."""
    if size < 8 or size & (size - 1):
        raise ValueError(f"size is {size}; it may be 8, 16, 32, 64 or a higher power of two")
    return [2**i for i in range(2, size.bit_length())]


def width(side: int, channel_base: int, channel_max: int) -> int:
    """The channels of maps of this side. ValueError if there are none."""
    if channel_base < side:
        raise ValueError(
            f"channel_base is {channel_base}; it may be the images' side {side} or more"
        )
    return min(channel_base // side, channel_max)


class Layer(nn.Module):
    """A modulated 3 x 3 convolution, noise of a learnt strength, bias and leaky ReLU."""

    def __init__(self, channels: int, out: int, w_dim: int, side: int, double: bool) -> None:
        super().__init__()
        self.style = Dense(w_dim, channels, bias=1.0)
        self.weight = nn.Parameter(torch.randn(out, channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out))
        self.strength = nn.Parameter(torch.zeros(()))
        self.side, self.double = side, double

    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        """x (N, channels, H, W), w (N, w_dim), noise (N, side * side) -> (N, out, side, side)."""
        x = modulated(x, self.weight, self.style(w), double=self.double)  # (N, out, side, side)
        x = x + self.strength * noise.view(-1, 1, self.side, self.side)
        return leaky(x + self.bias[:, None, None])


class ToImage(nn.Module):
    """A modulated 1 x 1 convolution to an image's channels, without demodulation."""

    def __init__(self, channels: int, out: int, w_dim: int) -> None:
        super().__init__()
        self.style = Dense(w_dim, channels, bias=1.0)
        self.weight = nn.Parameter(torch.randn(out, channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(out))
        self.scale = 1 / math.sqrt(channels)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        image = modulated(x, self.weight, self.style(w) * self.scale, demodulate=False)
        return image + self.bias[:, None, None]  # (N, out, H, W)


class Synthesis(nn.Module):
    """w (N, layers, w_dim) and noise (N, noise_numbers) -> images (N, channels, size, size), about
    in [-1, 1]. `layers` and `noise_numbers` are attributes.

    architecture: "skip" adds up images of all sides, "residual" has a connection around the two
    convolutions of each side, "plain" has neither.
    """

    def __init__(
        self,
        size: int,
        channels: int,
        w_dim: int,
        channel_base: int,
        channel_max: int,
        architecture: str,
    ) -> None:
        super().__init__()
        if architecture not in ARCHITECTURES:
            raise ValueError(
                f"architecture is {architecture!r}; it may be {', '.join(ARCHITECTURES)}"
            )
        wide = {side: width(side, channel_base, channel_max) for side in sides(size)}
        self.start = nn.Parameter(torch.randn(wide[4], 4, 4))
        self.first = Layer(wide[4], wide[4], w_dim, 4, double=False)
        self.pairs, self.images = nn.ModuleList(), nn.ModuleList()
        self.around = nn.ModuleList()
        self.skip = architecture == "skip"
        if self.skip:
            self.images.append(ToImage(wide[4], channels, w_dim))
        for side in sides(size)[1:]:
            before, out = wide[side // 2], wide[side]
            one = Layer(before, out, w_dim, side, double=True)
            self.pairs.append(nn.ModuleList([one, Layer(out, out, w_dim, side, double=False)]))
            if architecture == "residual":
                self.around.append(EqualConv(before, out, 1, act=False, bias=False, gain=HALF))
            if self.skip or side == size:
                self.images.append(ToImage(out, channels, w_dim))
        self.layers = 2 * len(self.pairs) + 2
        self.counts = [16] + [side**2 for side in sides(size)[1:] for _ in range(2)]
        self.noise_numbers = sum(self.counts)

    def forward(self, w: Tensor, noise: Tensor) -> Tensor:
        ws, n = w.unbind(1), list(noise.split(self.counts, 1))
        x = self.start.repeat(len(w), 1, 1, 1)  # (N, C, 4, 4)
        x = self.first(x, ws[0], n[0])
        image = self.images[0](x, ws[1]) if self.skip else None
        for i, (one, two) in enumerate(self.pairs):
            y = one(x, ws[2 * i + 1], n[2 * i + 1])  # (N, C', 2H, 2W)
            y = two(y, ws[2 * i + 2], n[2 * i + 2])
            x = up(self.around[i](x), fir=True) + HALF * y if self.around else y
            if self.skip:  # an image and the next side's first layer have the same w
                image = up(image, fir=True) + self.images[i + 1](x, ws[2 * i + 3])
        return image if self.skip else self.images[0](x, ws[-1])
