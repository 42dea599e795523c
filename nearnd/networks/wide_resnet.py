"""The wide residual network for small images (Zagoruyko and Komodakis, 2016), without classifier.

timm and torchvision have wide networks for 224 pixels only.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from nearnd.networks.dropout import Dropout

STEM = 16


class Block(nn.Module):
    """Batch norm, ReLU and a 3 x 3 convolution, twice; added to what came in. Dropout before the
    second convolution."""

    def __init__(self, channels: int, width: int, stride: int, dropout: float = 0.0):
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(width)
        self.conv1, self.conv2 = _conv(channels, width, 3, stride), _conv(width, width, 3)
        self.dropout = Dropout(dropout)
        same = channels == width and stride == 1
        self.shortcut = None if same else _conv(channels, width, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        u = F.relu(self.norm1(x))
        if self.shortcut is not None:  # of the activated input, as in the original
            x = self.shortcut(u)
        u = self.dropout(F.relu(self.norm2(self.conv1(u))))
        return x + self.conv2(u)  # (N, width, H', W')


class WideResNet(nn.Module):
    """Images (N, channels, H, W) to (N, widths[-1]): the mean over the last map.

    WRN-40-2 has three stages of 6 blocks and widths 32, 64, 128; the second and third halve the
    map. Any size of at least 4 pixels goes.
    """

    def __init__(self, channels: int, widths: Sequence[int], per_stage: int, dropout: float = 0.0):
        super().__init__()
        layers, have = [_conv(channels, STEM, 3)], STEM
        for stage, width in enumerate(widths):
            for i in range(per_stage):
                layers.append(Block(have, width, 2 if stage and i == 0 else 1, dropout))
                have = width
        self.layers = nn.Sequential(*layers)
        self.norm = nn.BatchNorm2d(have)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.layers(x))).mean((2, 3))  # (N, widths[-1])


def named(channels: int, depth: int, width: int, dropout: float = 0.0) -> WideResNet:
    """WRN-`depth`-`width`: depth counts layers and is 6n + 4; three stages, 16, 32 and 64 times
    `width` wide."""
    return WideResNet(channels, stage_widths(width), (depth - 4) // 6, dropout)


def stage_widths(width: int) -> list[int]:
    """Of WRN-depth-width's three stages."""
    return [STEM * width * 2**stage for stage in range(3)]


def check_depth(depth: int, who: str) -> None:
    """ValueError unless a network has this depth."""
    if depth < 10 or (depth - 4) % 6:
        raise ValueError(f"{who}: depth is {depth}, it must be 6n + 4: 10, 16, ..., 40")


def _conv(channels: int, width: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    layer = nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return layer
