"""Features of the noise level: random Fourier features or sinusoids of growing frequency."""

import math

import torch
from torch import Tensor, nn


class Fourier(nn.Module):
    """[sin(2 pi W v), cos(2 pi W v)] of v = ln(sigma), (N,) -> (N, 2 width).

    W ~ N(0, scale^2) is drawn once and not trained. Source: NCSN++ (score_sde), scale 16.
    """

    def __init__(self, width: int, scale: float = 16.0) -> None:
        super().__init__()
        self.W = nn.Parameter(torch.randn(width) * scale, requires_grad=False)
        self.out = 2 * width

    def forward(self, sigma: Tensor) -> Tensor:
        angle = 2 * math.pi * torch.log(sigma.float())[:, None] * self.W  # (N, width)
        return torch.cat([angle.sin(), angle.cos()], 1)  # (N, 2 width)


class Positional(nn.Module):
    """Sinusoids of p = 999 t, or of a whole number, with frequencies from 1 down to 1/10000, (N,)
    -> (N, width).

    Source: DDPM++ (score_sde), after the Transformer.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        freq = torch.exp(-math.log(10000.0) / (half - 1) * torch.arange(half))
        self.register_buffer("freq", freq, persistent=False)
        self.out = 2 * half

    def forward(self, p: Tensor) -> Tensor:
        angle = p.float()[:, None] * self.freq  # (N, half)
        return torch.cat([angle.sin(), angle.cos()], 1)  # (N, width)
