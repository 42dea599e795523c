"""A variational autoencoder's networks and its bound on the log-likelihood."""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEAST = math.log(2 / 255)  # log sigma: a grey level, of pixels in [-1, 1]; below, nothing is left

PIXELS = ("gaussian", "bernoulli")


class Encoder(nn.Sequential):
    """Images (N, C, S, S) to the mean and the logarithm of the variance of their codes, (N, 2 L).

    widths: of the maps after each halving, of which the last is 4 x 4. hidden: of a dense layer
    between the last map and the codes, None for none. norm: whether batch norms follow the
    convolutions.
    """

    def __init__(self, channels: int, widths: list[int], hidden: int | None, code: int, norm: bool):
        layers: list[nn.Module] = []
        for a, b in pairwise([channels, *widths]):
            layers += [nn.Conv2d(a, b, 4, 2, 1), *_after(b, norm)]
        n = 16 * widths[-1]
        layers.append(nn.Flatten())
        if hidden:
            layers += [nn.Linear(n, hidden), nn.ReLU()]
        super().__init__(*layers, nn.Linear(hidden or n, 2 * code))


class Decoder(nn.Module):
    """Codes (N, L) to images: `parameter` gives the logits of Bernoulli pixels or the mean of
    Gaussian ones, a call images in [-1, 1], both (N, C, S, S). The encoder turned round."""

    def __init__(
        self,
        size: int,
        channels: int,
        widths: list[int],
        hidden: int | None,
        code: int,
        norm: bool,
        likelihood: str,
    ):
        super().__init__()
        if size != 4 << len(widths):
            raise ValueError(f"size is {size}; {len(widths)} widths are of {4 << len(widths)}")
        if likelihood not in PIXELS:
            raise ValueError(f"likelihood is {likelihood}; it may be {' or '.join(PIXELS)}")
        self.latent, self.likelihood = code, likelihood
        n = 16 * widths[-1]
        layers = [nn.Linear(code, hidden), nn.ReLU()] if hidden else []
        layers += [nn.Linear(hidden or code, n), nn.ReLU(), nn.Unflatten(1, (widths[-1], 4, 4))]
        for a, b in pairwise(widths[::-1]):
            layers += [nn.ConvTranspose2d(a, b, 4, 2, 1), *_after(b, norm)]
        layers.append(nn.ConvTranspose2d(widths[0], channels, 4, 2, 1))
        self.parameter = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        y = self.parameter(z)
        return 2 * y.sigmoid() - 1 if self.likelihood == "bernoulli" else y


class Deviation(nn.Module):
    """log sigma of Gaussian pixels, one number that is learned."""

    def __init__(self) -> None:
        super().__init__()
        self.log_sigma = nn.Parameter(torch.zeros(()))

    def forward(self) -> Tensor:
        return self.log_sigma.clamp(min=LEAST)


def from_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) | N(0, 1)), (N,) of two (N, L)."""
    return (mean**2 + log_variance.exp() - log_variance - 1).sum(1) / 2


def log_bernoulli(x: Tensor, logits: Tensor) -> Tensor:
    """log p(x), (N,), of pixels x (N, C, S, S) in [-1, 1], as shares of white in [0, 1]."""
    error = F.binary_cross_entropy_with_logits(logits, (x + 1) / 2, reduction="none")
    return -error.flatten(1).sum(1)


def log_gaussian(x: Tensor, mean: Tensor, log_sigma: Tensor) -> Tensor:
    """log p(x), (N,), of x (N, ...) about the mean, with one deviation for all numbers."""
    d = ((x - mean) / log_sigma.exp()).flatten(1)  # (N, D)
    return -((d**2).sum(1) / 2) - d.shape[1] * (log_sigma + math.log(2 * math.pi) / 2)


def _after(width: int, norm: bool) -> list[nn.Module]:
    return [nn.BatchNorm2d(width), nn.ReLU()] if norm else [nn.ReLU()]
