"""Heun's method for the probability-flow ODE in steps of the noise level, with added noise on
request (EDM, algorithms 1 and 2)."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from nearnd.generators._sde import over


def heun(
    sde,
    score: Callable[[Tensor, Tensor], Tensor],
    noise: Callable[[], Tensor],
    *,
    steps: int,
    churn: float = 0.0,
    rho: float = 7.0,
) -> Tensor:
    """Images (N, C, H, W) in the SDE's range, from 2 steps - 1 calls of the score.

    Works on x_0 + sigma z, sigma = std/m, for which dx/dsigma = (x - D)/sigma with the denoiser
    D = x + sigma^2 m s(m x, t). The last step, to sigma = 0, returns D. `churn` (S_churn) raises
    the noise level by fresh noise before each step, by a factor 1 + churn/steps, at most sqrt(2):
    it lets the network correct what it left behind at higher levels; 0 is deterministic.
    """
    low, high = (s ** (1 / rho) for s in sde.noise_range())
    sigmas = [(high + i / (steps - 1) * (low - high)) ** rho for i in range(steps)] + [0.0]
    gamma = min(churn / steps, math.sqrt(2) - 1)

    def slope(x: Tensor, sigma: float) -> Tensor:
        t = sde.time(torch.full((len(x),), sigma, device=x.device, dtype=torch.float64)).float()
        m = over(sde.marginal(t)[0])
        return -sigma * m * score((m * x).float(), t)  # (N, C, H, W)

    x = sigmas[0] * noise().double()
    for i, (before, then) in enumerate(pairwise(sigmas)):
        sigma = before
        if gamma and i:  # the first level is the network's highest
            sigma = before * (1 + gamma)
            x = x + math.sqrt(sigma**2 - before**2) * noise()
        d = slope(x, sigma)
        y = x + (then - sigma) * d
        if then > 0:
            y = x + (then - sigma) * (d + slope(y, then)) / 2
        x = y
    return x.float()  # (N, C, H, W)
