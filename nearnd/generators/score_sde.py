"""A score network with a stochastic differential equation: the generator of FITYMI."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from nearnd.contracts import Progress, silent


def build(
    *,
    sde: str = "ve",
    sigma_min: float = 0.01,
    sigma_max: float | str = 50.0,
    beta_min: float = 0.1,
    beta_max: float = 20.0,
    nf: int = 128,
    channel_mult: Sequence[int] = (1, 2, 2, 2),
    blocks: int = 4,
    attention: Sequence[int] = (16,),
    dropout: float = 0.1,
    fir: bool = True,
    inner: str = "residual",
    outer: str = "none",
    lr: float = 2e-4,
    warmup: int = 5000,
    clip: float | None = 1.0,
    ema: float = 0.999,
    batch: int = 128,
    steps: int = 1_300_000,
    snapshots: int | Sequence[int] = 40,
    flip: bool = True,
    sampler: str = "pc",
    sampler_steps: int | None = None,
    snr: float = 0.16,
    corrections: int = 1,
    predictor: str = "reverse_diffusion",
    corrector: str = "langevin",
    norms: str = "image",
    denoise: bool = True,
    churn: float = 0.0,
    sample_batch: int = 256,
    precision: str = "auto",
) -> ScoreSDE:
    """The VE score SDE with an NCSN++ network; defaults are the published CIFAR-10 configuration
    `ve/cifar10_ncsnpp_continuous`.

    sde: "ve", "vp" or "subvp" (their published network: fir False, inner "none", ema 0.9999).
    sigma_max: VE's largest noise, or "data": the largest distance between two training images.
    nf, channel_mult, blocks, attention, dropout, fir, inner, outer: see `networks.unet.UNet`.
    warmup: steps until the learning rate is reached. clip: largest gradient norm, None for none.
    snapshots: the steps at which weights are kept, or how many, at geometric distances.
    sampler: "pc" (predictor-corrector, `_pc`; 2 calls of the network a step) or "heun" (`_heun`).
    sampler_steps: noise levels; None for 1000 ("pc", the paper) or 18 ("heun", EDM on CIFAR-10).
    snr, corrections, predictor, corrector, norms, denoise: of "pc". churn: of "heun".
    sample_batch: images sampled at a time. precision: "fp32", "bf16" or "auto": bf16 where it is
    faster, on GPUs, and on CPUs with matrix units (AMX) from nf 64 on.
    Deviation from the official code: Langevin steps use the norms of each image instead of batch
    means (`norms: batch`), and pixels are rounded to uint8, not cut off, so that a sample that
    equals a training image gives back its bytes.
    """
    from nearnd.generators._pc import CORRECTORS, PREDICTORS
    from nearnd.generators._sde import SDES

    for name, value, known in (
        ("sde", sde, SDES),
        ("sampler", sampler, ("pc", "heun")),
        ("predictor", predictor, PREDICTORS),
        ("corrector", corrector, CORRECTORS),
        ("norms", norms, ("image", "batch")),
        ("precision", precision, ("auto", "fp32", "bf16")),
    ):
        if value not in known:
            raise ValueError(f"{name} is {value!r}; it may be one of {', '.join(known)}")
    if isinstance(sigma_max, str) and sigma_max != "data":
        raise ValueError(f'sigma_max is {sigma_max!r}; it may be a number or "data"')
    ve = sde == "ve"
    network = {
        "nf": nf,
        "channel_mult": list(channel_mult),
        "blocks": blocks,
        "attention": list(attention),
        "dropout": dropout,
        "fir": fir,
        "inner": inner,
        "outer": outer,
        "centered": not ve,
        "by_sigma": ve,
        "embedding": "fourier" if ve else "positional",
    }
    process = (
        {"sigma_min": sigma_min, "sigma_max": sigma_max}
        if ve
        else {"beta_min": beta_min, "beta_max": beta_max}
    )
    recipe = {
        "lr": lr,
        "warmup": warmup,
        "clip": clip,
        "ema": ema,
        "batch": batch,
        "steps": steps,
        "snapshots": snapshots,
        "flip": flip,
    }
    sampling = {"sampler": sampler, "steps": sampler_steps or {"pc": 1000, "heun": 18}[sampler]}
    if sampler == "pc":
        sampling |= {
            "snr": snr,
            "corrections": corrections,
            "predictor": predictor,
            "corrector": corrector,
            "norms": norms,
            "denoise": denoise,
        }
    else:
        sampling["churn"] = churn
    return ScoreSDE(sde, process, network, recipe, sampling, sample_batch, precision)


class ScoreSDE:
    """The contract `Generator`. A snapshot names its network and SDE in its header."""

    def __init__(self, sde, process, network, recipe, sampling, sample_batch, precision) -> None:
        self.sde, self.process, self.network, self.recipe = sde, process, network, recipe
        self.sampling, self.sample_batch, self.precision = sampling, sample_batch, precision

    def train(
        self,
        pixels: np.ndarray,
        *,
        seed: int,
        folder: Path,
        monitor: Callable[[int, Path], None],
        progress: Progress = silent,
    ) -> None:
        """See the contract; uint8 (N, S, S, C), C = 1 or 3."""
        from nearnd.generators._training import train_score

        train_score(
            pixels, self.sde, self.process, self.network, self.recipe, self.precision, seed=seed,
            folder=folder, monitor=monitor, progress=progress,
        )  # fmt: skip

    def sample(self, snapshot: Path, seeds: np.ndarray) -> np.ndarray:
        """See the contract: needs the snapshot and this entry's sampler settings, nothing else."""
        from nearnd.generators._sampling import sample

        return sample(snapshot, seeds, self.sampling, self.sample_batch, self.precision)
