"""OpenGAN's generator and discriminator of features, vectors of a frozen network.

Layers and initial weights of the public code: 1 x 1 convolutions there, which are linear layers.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

NOISE = 100  # numbers that a fake is made of


class Generator(nn.Sequential):
    """Noise (N, NOISE) to features (N, n)."""

    def __init__(self, n: int, width: int):
        layers: list[nn.Module] = []
        sizes = [NOISE, 8 * width, 4 * width, 2 * width, 4 * width]
        for a, b in pairwise(sizes):
            layers += [nn.Linear(a, b, bias=False), nn.BatchNorm1d(b), nn.ReLU()]
        super().__init__(*layers, nn.Linear(sizes[-1], n))
        _begin(self)


class Discriminator(nn.Sequential):
    """Features (N, n) to a logit (N,), higher for real ones."""

    def __init__(self, n: int, width: int):
        layers: list[nn.Module] = [nn.Linear(n, 8 * width, bias=False), nn.LeakyReLU(0.2)]
        for a, b in ((8, 4), (4, 2), (2, 1)):
            layers += [nn.Linear(a * width, b * width, bias=False), nn.BatchNorm1d(b * width)]
            layers += [nn.LeakyReLU(0.2)]
        super().__init__(*layers, nn.Linear(width, 1, bias=False), nn.Flatten(0))
        _begin(self)


def noise(n: int, like: Tensor) -> Tensor:
    """Standard-normal numbers (n, NOISE) on the device of `like`."""
    return torch.randn(n, NOISE).to(like.device)


def _begin(net: nn.Module) -> None:
    for layer in net.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, 0.0, 0.02)
        elif isinstance(layer, nn.BatchNorm1d):
            nn.init.normal_(layer.weight, 1.0, 0.02)
