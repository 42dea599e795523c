"""Heun's method for the probability-flow ODE in steps of the noise level, with added noise on
request (EDM, algorithms 1 and 2)."""

import math
from itertools import pairwise

from nearnd.contracts import Sampler

TOY = {"steps": 40}


def build(*, steps: int = 18, churn: float = 0.0, rho: float = 7.0) -> Sampler:
    """Takes 2 steps - 1 calls of the score. Of second order.

    Solves dx/dsigma = (x - D)/sigma, D the denoiser; the last step, to sigma = 0, returns D.
    `churn` (S_churn) raises the noise level by fresh noise before each step, by a factor
    1 + churn/steps, at most sqrt(2): it lets the network correct what it left behind at higher
    levels; 0 is deterministic. `rho`: see `noise_levels`. steps 18 is EDM's for CIFAR-10.
    """

    def sample(sde, score, noise):
        from nearnd.samplers._sigma_space import denoiser, noise_levels

        levels = noise_levels(sde, steps, rho)
        denoise = denoiser(sde, score)
        gamma = min(churn / steps, math.sqrt(2) - 1)
        x = levels[0] * noise().double()
        for i, (before, then) in enumerate(pairwise(levels)):
            sigma = before
            if gamma and i:  # the first level is the network's highest
                sigma = max(before, sde.nearest(before * (1 + gamma)))
                x = x + math.sqrt(sigma**2 - before**2) * noise()
            d = (x - denoise(x, sigma)) / sigma  # (N, C, H, W)
            y = x + (then - sigma) * d
            if then > 0:
                y = x + (then - sigma) * (d + (y - denoise(y, then)) / then) / 2
            x = y
        return x.float()  # (N, C, H, W)

    return sample
