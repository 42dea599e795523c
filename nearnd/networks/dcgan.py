"""The generator and the critic of DCGAN: 4 x 4 convolutions that double and halve.

Radford, Metz and Chintala, "Unsupervised Representation Learning with Deep Convolutional Generative
Adversarial Networks". The map of 4 x 4 pixels has nf 2^(k-1) channels, of images that are halved k
times down to it; after each doubling half as many, at least nf.
"""

from itertools import pairwise

from torch import Tensor, nn


class Generator(nn.Module):
    """z (N, L) to images (N, C, S, S) in [-1, 1]."""

    def __init__(self, size: int, channels: int, nf: int, latent: int):
        super().__init__()
        self.latent = latent
        widths = _widths(size, nf)[::-1]
        layers: list[nn.Module] = [nn.Unflatten(1, (latent, 1, 1))]
        layers += [nn.ConvTranspose2d(latent, widths[0], 4, bias=False)]  # (N, widths[0], 4, 4)
        layers += [nn.BatchNorm2d(widths[0]), nn.ReLU()]
        for a, b in pairwise(widths):
            layers += [nn.ConvTranspose2d(a, b, 4, 2, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU()]
        layers += [nn.ConvTranspose2d(widths[-1], channels, 4, 2, 1), nn.Tanh()]
        self.layers = _begun(nn.Sequential(*layers))

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z)


class Critic(nn.Sequential):
    """Images (N, C, S, S) to logits (N,), higher for real ones; no batch norm at either end."""

    def __init__(self, size: int, channels: int, nf: int):
        widths = _widths(size, nf)
        layers: list[nn.Module] = [nn.Conv2d(channels, nf, 4, 2, 1), nn.LeakyReLU(0.2)]
        for a, b in pairwise(widths):
            layers += [nn.Conv2d(a, b, 4, 2, 1, bias=False), nn.BatchNorm2d(b), nn.LeakyReLU(0.2)]
        super().__init__(*layers, nn.Conv2d(widths[-1], 1, 4), nn.Flatten(0))
        _begun(self)


def _widths(size: int, nf: int) -> list[int]:
    """Channels of the maps from S / 2 pixels down to 4. ValueError if that does not go."""
    if size < 8 or size & (size - 1):
        raise ValueError(f"size is {size}; it may be 8, 16, 32, 64 or a higher power of two")
    return [nf << i for i in range(size.bit_length() - 3)]


def _begun(net: nn.Module) -> nn.Module:
    """The network with DCGAN's initial weights."""
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0.0, 0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, 0.02)
    return net
