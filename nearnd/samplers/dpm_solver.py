"""DPM-Solver++(2M): a multistep solver that predicts the image, for the probability-flow ODE and
for the reverse SDE (Lu et al., "DPM-Solver++: Fast Solver for Guided Sampling of Diffusion
Probabilistic Models", algorithm 2 and section 6)."""

import math
from itertools import pairwise

from nearnd.contracts import Sampler

TOY = {"steps": 40}


def build(*, steps: int = 18, eta: float = 0.0, rho: float = 7.0) -> Sampler:
    """Takes as many calls of the score as `steps`. Of second order (eta 0).

    In h = ln(sigma / sigma') and for a denoised image D that stays the same over the step, the ODE
    leads to e^-h x + (1 - e^-h) D; D is extrapolated from this step's and the one before. The first
    step has none before it, and the last, to sigma = 0, returns D.
    `eta`: how much noise is taken away and put back, 0 for the ODE, 1 for the reverse SDE; as
    Langevin steps do, it corrects what the network left behind. `rho`: see `noise_levels`.
    """

    def sample(sde, score, noise):
        from nearnd.samplers._sigma_space import denoiser, noise_levels

        levels = noise_levels(sde, steps, rho)
        denoise = denoiser(sde, score)
        x = levels[0] * noise().double()
        before = step = None
        for sigma, then in pairwise(levels):
            d = denoise(x, sigma)  # (N, C, H, W)
            if then == 0:
                return d.float()
            h = math.log(sigma / then)
            ahead = d if before is None else d + (d - before) * h / (2 * step)
            x = ahead + math.exp(-(1 + eta) * h) * (x - ahead)
            if eta:
                x = x + then * math.sqrt(-math.expm1(-2 * eta * h)) * noise()
            before, step = d, h

    return sample
