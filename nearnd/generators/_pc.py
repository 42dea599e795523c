"""Predictor-corrector sampling: Langevin steps at each noise level, then one step of the reverse
SDE (score_sde, algorithm 1 in the order of its code: corrector first)."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from nearnd.generators._sde import over

ScoreFunction = Callable[[Tensor, Tensor], Tensor]  # (N, C, H, W), (N,) -> (N, C, H, W)
Noise = Callable[[], Tensor]  # the next standard-normal draw, (N, C, H, W)


def predictor_corrector(
    sde,
    score: ScoreFunction,
    noise: Noise,
    *,
    steps: int,
    snr: float = 0.16,
    corrections: int = 1,
    predictor: str = "reverse_diffusion",
    corrector: str = "langevin",
    norms: str = "image",
    denoise: bool = True,
) -> Tensor:
    """Images (N, C, H, W) in the SDE's range, from the prior, over `steps` noise levels.

    norms: "image" takes the Langevin step from the norms of each image alone, so that an image
    does not depend on its batch; "batch" takes the means over the batch, as the official code.
    denoise: return the mean of the last step (the official default), not the sample.
    """
    x = sde.prior_std * noise()  # (N, C, H, W)
    mean = x
    for time in torch.linspace(1, sde.eps, steps).tolist():
        t = torch.full((len(x),), time, device=x.device)  # (N,)
        for _ in range(corrections if corrector != "none" else 0):
            x = CORRECTORS[corrector](sde, score, x, t, noise(), steps, snr, norms)
        z = noise()
        mean, scale = PREDICTORS[predictor](sde, score, x, t, steps)
        x = mean + over(scale) * z
    return mean if denoise else x


def euler_maruyama(sde, score, x, t, n):
    g = sde.diffusion(t)
    return x - (sde.drift(x, t) - over(g) ** 2 * score(x, t)) / n, g / math.sqrt(n)


def reverse_diffusion(sde, score, x, t, n):
    """The discretised forward step, reversed (appendix E)."""
    f, g = sde.discrete(x, t, n)
    return x - f + over(g) ** 2 * score(x, t), g


def ancestral(sde, score, x, t, n):
    """The posterior step of SMLD (VE) or DDPM (VP) (appendix F)."""
    if sde.name == "ve":
        sigma, before = sde.levels(t, n)
        step = sigma**2 - before**2
        return x + over(step) * score(x, t), (before**2 * step / sigma**2).sqrt()
    if sde.name == "vp":
        alpha = sde.decay(t, n)
        return (x + over(1 - alpha) * score(x, t)) / over(alpha.sqrt()), (1 - alpha).sqrt()
    raise ValueError(
        f"predictor: ancestral is not defined for sde: {sde.name}; use"
        " reverse_diffusion or euler_maruyama"
    )


def langevin(sde, score, x, t, z, n, snr, norms):
    """A step whose signal is `snr` times its noise (algorithms 4 and 5)."""
    s = score(x, t)
    n_s, n_z = (a.flatten(1).norm(dim=1) for a in (s, z))  # (N,)
    if norms == "batch":
        n_s, n_z = n_s.mean(), n_z.mean()
    step = over(2 * sde.decay(t, n) * (snr * n_z / n_s) ** 2)
    return x + step * s + (2 * step).sqrt() * z


def annealed(sde, score, x, t, z, n, snr, norms):
    """Annealed Langevin dynamics: a step in units of the noise level."""
    step = over(2 * sde.decay(t, n) * (snr * sde.marginal(t)[1]) ** 2)
    return x + step * score(x, t) + (2 * step).sqrt() * z


PREDICTORS = {
    "reverse_diffusion": reverse_diffusion,
    "euler_maruyama": euler_maruyama,
    "ancestral": ancestral,
}
CORRECTORS = {"langevin": langevin, "annealed": annealed, "none": None}
