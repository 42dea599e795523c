"""Layers with the initial weights of score_sde: Xavier uniform times a scale, biases 0."""

from __future__ import annotations

import math

from torch import nn

TINY = 1e-10  # "init scale 0": variance of the last layers of blocks, so that they start as nothing


def _scaled(layer: nn.Module, scale: float) -> nn.Module:
    nn.init.xavier_uniform_(layer.weight, math.sqrt(scale))
    nn.init.zeros_(layer.bias)
    return layer


def conv(channels: int, out: int, kernel: int, *, scale: float = 1.0, padding: int | None = None):
    """A convolution that keeps the map's size unless `padding` says otherwise; `scale` multiplies
    the variance of the weights."""
    padding = kernel // 2 if padding is None else padding
    return _scaled(nn.Conv2d(channels, out, kernel, padding=padding), scale)


def linear(features: int, out: int, *, scale: float = 1.0) -> nn.Module:
    """A dense layer; `scale` multiplies the variance of the weights."""
    return _scaled(nn.Linear(features, out), scale)


def norm(channels: int) -> nn.Module:
    """GroupNorm with groups of at least 4 channels, at most 32 groups."""
    return nn.GroupNorm(min(channels // 4, 32), channels, eps=1e-6)
