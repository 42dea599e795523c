"""Layers with the initial weights of score_sde: Xavier uniform times a scale, biases 0."""

import math

import torch.nn.functional as F
from torch import Tensor, nn

TINY = 1e-10  # "init scale 0": variance of the last layers of blocks, so that they start as nothing


class Conv(nn.Conv2d):
    """nn.Conv2d with its output multiplied by the constant `gain`: its weights are, which is
    cheaper than one more pass over the map. So can its input be, by `scale`, and `shift` (out,)
    be added to its bias."""

    gain = 1.0

    def forward(self, x: Tensor, scale: float = 1.0, shift: Tensor | None = None) -> Tensor:
        w, b = self.weight, self.bias
        if shift is not None:
            b = b + shift
        if self.gain * scale != 1:
            w = w * (self.gain * scale)
        if self.gain != 1:
            b = b * self.gain
        return F.conv2d(x, w, b, self.stride, self.padding)  # (N, out, H', W')

    def fold(self) -> None:
        """Multiplies the weights by `gain` for good."""
        self.weight *= self.gain
        self.bias *= self.gain
        self.gain = 1.0


class NIN(Conv):
    """A 1 x 1 convolution, "network in network"; the reference stores its weight (in, out)."""

    def __init__(self, channels: int, out: int, *, gain: float = 1.0) -> None:
        super().__init__(channels, out, 1)
        _scaled(self, 0.1)
        self.gain = gain


def _scaled(layer: nn.Module, scale: float) -> nn.Module:
    nn.init.xavier_uniform_(layer.weight, math.sqrt(scale))
    nn.init.zeros_(layer.bias)
    return layer


def conv(
    channels: int,
    out: int,
    kernel: int,
    *,
    scale: float = 1.0,
    gain: float = 1.0,
    stride: int = 1,
    padding: int | None = None,
) -> Conv:
    """A convolution that keeps the map's size unless `stride` or `padding` say otherwise; `scale`
    multiplies the variance of the initial weights, `gain` the output."""
    padding = kernel // 2 if padding is None else padding
    layer = _scaled(Conv(channels, out, kernel, stride, padding), scale)
    layer.gain = gain
    return layer


def linear(features: int, out: int, *, scale: float = 1.0) -> nn.Module:
    """A dense layer; `scale` multiplies the variance of the weights."""
    return _scaled(nn.Linear(features, out), scale)


def norm(channels: int) -> nn.GroupNorm:
    """GroupNorm with groups of at least 4 channels, at most 32 groups."""
    return nn.GroupNorm(min(channels // 4, 32), channels, eps=1e-6)
