"""Heun's method for the probability-flow ODE in steps of the noise level (EDM, algorithm 1)."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor

from nearnd.generators._sde import over


def heun(
    sde,
    score: Callable[[Tensor, Tensor], Tensor],
    noise: Callable[[], Tensor],
    *,
    steps: int,
    rho: float = 7.0,
) -> Tensor:
    """Images (N, C, H, W) in the SDE's range, from 2 steps - 1 calls of the score.

    Works on x_0 + sigma z, sigma = std/m, for which dx/dsigma = (x - D)/sigma with the denoiser
    D = x + sigma^2 m s(m x, t). The last step, to sigma = 0, returns D.
    """
    low, high = (s ** (1 / rho) for s in sde.noise_range())
    sigmas = [(high + i / (steps - 1) * (low - high)) ** rho for i in range(steps)] + [0.0]

    def slope(x: Tensor, sigma: float) -> Tensor:
        t = sde.time(torch.full((len(x),), sigma, device=x.device, dtype=torch.float64)).float()
        m = over(sde.marginal(t)[0])
        return -sigma * m * score((m * x).float(), t)  # (N, C, H, W)

    x = sigmas[0] * noise().double()
    for sigma, then in itertools.pairwise(sigmas):
        d = slope(x, sigma)
        y = x + (then - sigma) * d
        if then > 0:
            y = x + (then - sigma) * (d + slope(y, then)) / 2
        x = y
    return x.float()  # (N, C, H, W)
