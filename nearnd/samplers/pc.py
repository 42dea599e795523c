"""Predictor-corrector sampling: Langevin steps at each noise level, then one step of the reverse
SDE (score_sde, algorithm 1 in the order of its code: corrector first)."""

from typing import Any, Literal

from nearnd.contracts import Sampler
from nearnd.samplers._settings import together

TOY = {"steps": 300}


def build(
    *,
    steps: int = 1000,
    predictor: Literal[
        "reverse_diffusion", "euler_maruyama", "ancestral", "none"
    ] = "reverse_diffusion",
    corrector: Literal["langevin", "ald", "none"] = "langevin",
    snr: float = 0.16,
    corrections: int = 1,
    norms: Literal["image", "batch"] = "image",
    probability_flow: bool = False,
    denoise: bool = True,
) -> Sampler:
    """Takes `steps` noise levels: 1 + corrections calls of the score at each, 1 without corrector.

    predictor: "reverse_diffusion", "euler_maruyama", "ancestral" (SMLD's or DDPM's) or "none".
    corrector: "langevin", "ald" (annealed Langevin dynamics) or "none"; snr: the signal-to-noise
    ratio of its step; corrections: how many at each level.
    norms: "image" takes the Langevin step from the norms of each image alone, so that an image
    does not depend on its batch; "batch" takes the means over the batch, as the official code.
    probability_flow: predict with the ODE, without noise.
    denoise: return the mean of the last step (the official default), not the sample.
    """

    def sample(sde, score, noise):
        import torch

        from nearnd.samplers._predictors import coefficients

        x = sde.prior_std * noise()  # (N, C, H, W)
        times = torch.linspace(1, sde.eps, steps)  # (steps,)
        index = torch.arange(steps - 1, -1, -1)
        rows = torch.stack(coefficients(predictor, sde, times, index, steps, probability_flow), 1)
        repeated = corrections if corrector != "none" else 0
        if repeated:
            alphas = sde.decay(index, steps).tolist()
            sizes = sde.marginal(times.double())[1].square().tolist()
        times = times.to(x.device)
        noisy = predictor != "none" and not probability_flow
        mean = x
        for k, (a, b, c) in enumerate(rows.tolist()):
            t = times[k : k + 1]  # (1,)
            for _ in range(repeated):
                z, s = noise(), score(x, t)
                size = _squared_ratio(z, s, norms) if corrector == "langevin" else sizes[k]
                step = 2 * alphas[k] * snr**2 * size
                x = x + step * s + (2 * step) ** 0.5 * z
            mean = a * x + b * score(x, t) if b else x
            x = mean + c * noise() if noisy else mean
        return mean if denoise else x

    return sample


def _squared_ratio(z, s, norms: str):
    """(|z| / |s|)^2, which makes the step's signal `snr` times its noise (algorithms 4 and 5)."""
    n_z, n_s = (a.flatten(1).norm(dim=1) for a in (z, s))  # (N,)
    if norms == "batch":
        n_z, n_s = n_z.mean(0, keepdim=True), n_s.mean(0, keepdim=True)  # (1,)
    return (n_z / n_s).square()[:, None, None, None]


def check(
    *,
    sde: str,
    continuous: bool,
    predictor: str = "reverse_diffusion",
    corrector: str = "langevin",
    probability_flow: bool = False,
    **others: Any,
) -> None:
    """ValueError if these settings do not go together, or not with this SDE."""
    if predictor == "ancestral":
        together("pc", "predictor: ancestral", "sde", sde, ["ve", "vp"])
        together("pc", "predictor: ancestral", "probability_flow", probability_flow, [False])
    if predictor == "none":
        together("pc", "predictor: none", "corrector", corrector, ["langevin", "ald"])
    for name, known in (
        ("snr", ["langevin", "ald"]),
        ("corrections", ["langevin", "ald"]),
        ("norms", ["langevin"]),
    ):
        if name in others:
            together("pc", name, "corrector", corrector, known)
