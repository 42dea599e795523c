"""Steps of predictor-corrector sampling down the noise levels: every predictor is
x' = a x + b s + c z with three numbers for each step."""

import torch
from torch import Tensor


def coefficients(
    predictor: str, sde, t: Tensor, i: Tensor, n: int, flow: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """a, b, c at the times t (K,) with the indices i (K,) out of n, float64 (K,).

    `flow`: of the probability-flow ODE instead of the reverse SDE, half the score and no noise.
    """
    t = t.double()
    if predictor == "none":
        return torch.ones_like(t), torch.zeros_like(t), torch.zeros_like(t)
    if predictor == "ancestral":
        return _ancestral(sde, i, n)
    if predictor == "euler_maruyama":
        rate, g = sde.rate(t) / n, sde.diffusion(t) / n**0.5
    else:  # reverse diffusion: the discretised forward step, reversed (appendix E)
        rate, g = sde.discrete(t, i, n)
    return 1 - rate, g**2 / 2 if flow else g**2, torch.zeros_like(g) if flow else g


def _ancestral(sde, i: Tensor, n: int) -> tuple[Tensor, Tensor, Tensor]:
    """The posterior step of SMLD (VE) or DDPM (VP) (appendix F)."""
    if sde.name == "ve":
        sigma, before = sde.levels(i, n)
        step = sigma**2 - before**2
        return torch.ones_like(step), step, before * step.sqrt() / sigma
    if sde.name == "vp":
        alpha = sde.decay(i, n)
        return 1 / alpha.sqrt(), (1 - alpha) / alpha.sqrt(), (1 - alpha).sqrt()
    raise ValueError(
        f"predictor: ancestral is not defined for sde: {sde.name}; use reverse_diffusion or"
        " euler_maruyama"
    )
