"""Densely connected convolutions, and beside them attention: what DenseFlow's couplings see with.

The layers of the authors' code, but: attention is exact, where theirs is Nyström's approximation of
it from 4 landmarks (exact costs more from some 1,000 places on, of images of 64 pixels), and the
norm is of each image (GroupNorm) where theirs is of the batch, so that an image's density does not
depend on the images beside it.
"""

import torch
from torch import Tensor, nn

from nearnd.networks.attention import attend


class DenseBlock(nn.Module):
    """(n, C, h, w) -> (n, out, h, w): each layer sees the maps of all before it and adds `growth`
    to them; a gate a + b sigmoid(c) makes the output of all."""

    def __init__(self, channels: int, out: int, layers: int, growth: int):
        super().__init__()
        widths = [channels + i * growth for i in range(layers)]
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(c, c, 1), nn.ReLU(), nn.Conv2d(c, growth, 3, padding=1), nn.ReLU()
            )
            for c in widths
        )
        self.gate = nn.Conv2d(channels + layers * growth, 3 * out, 1)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.cat([x, layer(x)], 1)  # (n, C + growth, h, w), ...
        a, b, c = self.gate(x).chunk(3, 1)  # (n, out, h, w) each
        return a + b * c.sigmoid()


class PlaceAttention(nn.Module):
    """(n, C, h, w) -> same: values of all places by their attention, and a place's own value."""

    def __init__(self, channels: int):
        super().__init__()
        self.width = max(1, channels // 2)
        self.qkv = nn.Conv2d(channels, 3 * self.width, 1)
        self.out = nn.Conv2d(self.width, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        n, _, h, w = x.shape
        qkv = self.qkv(x).flatten(2).mT  # (n, hw, 3 width)
        q, k, v = qkv[:, None].chunk(3, -1)  # (n, 1, hw, width)
        y = (attend(q, k, v) + v)[:, 0]  # (n, hw, width)
        return self.out(y.mT.reshape(n, self.width, h, w))


class DenseNet(nn.Module):
    """(n, C, h, w) -> (n, out, h, w): a dense block added to its input; zeros at first."""

    def __init__(self, channels: int, out: int, width: int, layers: int, growth: int):
        super().__init__()
        self.first = nn.Conv2d(channels, width, 1)
        self.dense = DenseBlock(width, width, layers, growth)
        self.last = zeroed(nn.Conv2d(width, out, 1))

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        return self.last(h + self.dense(h))


class AttentiveDenseNet(nn.Module):
    """(n, C, h, w) -> (n, out, h, w): a dense block and attention side by side; zeros at first."""

    def __init__(self, channels: int, out: int, width: int, layers: int, growth: int):
        super().__init__()
        self.first = nn.Conv2d(channels, width, 1)
        self.dense = DenseBlock(width, width, layers, growth)
        self.attention = PlaceAttention(width)
        self.mix = nn.Sequential(
            nn.GroupNorm(1, 2 * width), nn.ReLU(), nn.Conv2d(2 * width, width, 1, bias=False)
        )
        self.last = zeroed(nn.Conv2d(width, out, 1))

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)  # (n, width, h, w)
        return self.last(self.mix(torch.cat([self.attention(h), self.dense(h)], 1)))


def zeroed(layer: nn.Conv2d) -> nn.Conv2d:
    """The layer with weights of 0: a coupling that begins as nothing."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
