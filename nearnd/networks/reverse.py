"""A network that goes back from deep feature maps to shallow ones: a bottleneck and a decoder.

Of reverse distillation (Deng and Li 2022), as ReContrast uses it: residual blocks of a ResNet, the
decoder's first of a stage with a transposed convolution that doubles the map.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Block(nn.Module):
    """A residual block of three convolutions; `step` "down" halves maps, "up" doubles them."""

    def __init__(self, channels: int, out: int, step: str = "", squeeze: int = 2):
        super().__init__()
        wide = max(1, out // squeeze)
        self.body = nn.Sequential(
            *normed(nn.Conv2d(channels, wide, 1, bias=False), wide), nn.ReLU(),
            *normed(moved(wide, wide, step, 3), wide), nn.ReLU(),
            *normed(nn.Conv2d(wide, out, 1, bias=False), out),
        )  # fmt: skip
        plain = channels == out and not step
        short = [] if plain else normed(moved(channels, out, step, 1), out)
        self.short = nn.Sequential(*short)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.body(x) + self.short(x))


def normed(convolution: nn.Module, out: int) -> list[nn.Module]:
    return [convolution, nn.BatchNorm2d(out)]


def moved(channels: int, out: int, step: str, kernel: int) -> nn.Module:
    """A convolution that keeps, halves or doubles the sides of a map."""
    if step == "up":
        return nn.ConvTranspose2d(channels, out, 2, 2, bias=False)
    return nn.Conv2d(channels, out, kernel, 2 if step else 1, kernel // 2, bias=False)


class Reverse(nn.Module):
    """Maps (n, C_i, h_i, w_i) of an encoder to maps of the same shapes, two of each.

    `widths` and `sides` are those of the maps, shallow to deep. The bottleneck brings all of them
    to the grid of the deepest and makes one of half its side; the decoder goes back from there,
    each stage of `depths` blocks, deep to shallow, with two 1 x 1 convolutions behind it.
    """

    def __init__(self, widths: list[int], sides: list[int], depths: list[int], squeeze: int):
        super().__init__()
        deep, self.sides = widths[-1], sides
        self.down = nn.ModuleList()
        for width, side in zip(widths[:-1], sides[:-1], strict=True):
            part: list[nn.Module] = []
            while side > sides[-1]:
                part += [
                    *normed(nn.Conv2d(width, 2 * width, 3, 2, 1, bias=False), 2 * width),
                    nn.ReLU(),
                ]
                side, width = -(-side // 2), 2 * width
            self.down.append(nn.Sequential(*part))
        there = deep + sum(
            w * 2 ** sum(isinstance(m, nn.Conv2d) for m in part)
            for w, part in zip(widths, self.down, strict=False)
        )
        self.middle = blocks(there, 2 * deep, 3, "down", squeeze)
        self.up, self.out = nn.ModuleList(), nn.ModuleList()
        grids = [-(-sides[-1] // 2), *reversed(sides)]
        chain = zip(pairwise([2 * deep, *reversed(widths)]), pairwise(grids), depths, strict=True)
        for (width, new), (small, large), depth in chain:
            self.up.append(blocks(width, new, depth, "up" if large > small else "", squeeze))
            self.out.append(nn.ModuleList(nn.Conv2d(new, new, 1) for _ in range(2)))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, maps: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """The maps of the first and those of the second of the last convolutions, shallow first."""
        grid = maps[-1].shape[2:]
        parts = [fitted(down(m), grid) for down, m in zip(self.down, maps, strict=False)]
        x, found = self.middle(torch.cat([*parts, maps[-1]], 1)), []
        for up, out, like in zip(self.up, self.out, reversed(maps), strict=True):
            x = fitted(up(x), like.shape[2:])
            found.append([convolution(x) for convolution in out])
        return tuple([pair[i] for pair in reversed(found)] for i in range(2))


def blocks(channels: int, out: int, depth: int, step: str, squeeze: int) -> nn.Sequential:
    first = Block(channels, out, step, squeeze)
    return nn.Sequential(first, *(Block(out, out, "", squeeze) for _ in range(depth - 1)))


def fitted(x: Tensor, grid) -> Tensor:
    """x itself, or resized where halving and doubling an odd side gave another one."""
    return x if x.shape[2:] == grid else F.interpolate(x, grid, mode="bilinear")
