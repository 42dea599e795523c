"""A score network with a stochastic differential equation: the generator of FITYMI."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from nearnd.arrays import load_tensors, save_tensors
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
        import torch

        from nearnd.device import device
        from nearnd.generators._data import largest_distance, rows_of, to_float
        from nearnd.generators._loss import EPS, denoising_loss
        from nearnd.generators._sde import SDES
        from nearnd.networks.unet import UNet
        from nearnd.training import snapshot_steps, step_seed, train

        n, height, width, channels = pixels.shape
        if n == 0 or height != width:
            raise ValueError(f"the generator needs square images, got uint8 {pixels.shape}")
        process, recipe = dict(self.process), self.recipe
        if process.get("sigma_max") == "data":
            process["sigma_max"] = max(largest_distance(pixels), 1.0)
        facts = {
            "kind": "score_sde",
            "sde": self.sde,
            "process": process,
            "network": dict(self.network, size=height, channels=channels),
        }
        sde = SDES[self.sde](**process)

        dev = device()
        torch.manual_seed(step_seed(seed, 2**32))
        net = UNet(**facts["network"]).to(dev).train()
        optimizer = torch.optim.Adam(
            (p for p in net.parameters() if p.requires_grad), recipe["lr"], fused=True
        )
        run = self._precision(net, dev)
        batch, steps, warmup = recipe["batch"], recipe["steps"], recipe["warmup"]

        def loss(step: int):
            x = to_float(pixels[rows_of(step, batch, n, seed)], dev, sde.centered)  # (B, C, S, S)
            if recipe["flip"]:
                turn = torch.rand(batch, 1, 1, 1, device=dev) < 0.5
                x = torch.where(turn, x.flip(3), x)
            t = EPS + (1 - EPS) * torch.rand(batch, device=dev)  # (B,)
            z = torch.randn_like(x)
            return denoising_loss(
                lambda x, t: sde.score(run(x, sde.level(t)), t), sde, x, t, z, mean=sde.centered
            )

        def keep(step: int, weights: dict) -> None:
            file = Path(folder) / f"step{step:07d}.safetensors"
            arrays = {name: w.float().cpu().numpy() for name, w in weights.items()}
            save_tensors(file, arrays, **facts, step=step)
            monitor(step, file)

        due = recipe["snapshots"]
        train(
            net,
            optimizer,
            loss,
            steps=steps,
            seed=seed,
            folder=folder,
            schedule=lambda step: min(step / warmup, 1.0) if warmup else 1.0,
            clip=recipe["clip"],
            ema=recipe["ema"],
            snapshots=snapshot_steps(steps, due) if isinstance(due, int) else due,
            on_snapshot=keep,
            progress=progress,
        )

    def sample(self, snapshot: Path, seeds: np.ndarray) -> np.ndarray:
        """See the contract: needs the snapshot and this entry's sampler settings, nothing else."""
        import torch

        from nearnd.device import device
        from nearnd.generators._data import to_uint8
        from nearnd.generators._heun import heun
        from nearnd.generators._noise import ImageNoise
        from nearnd.generators._pc import predictor_corrector
        from nearnd.generators._sde import SDES
        from nearnd.networks.unet import UNet

        arrays, facts = load_tensors(snapshot)
        if facts.get("kind") != "score_sde":
            raise ValueError(f"{snapshot} is not a snapshot of a score_sde generator")
        sde, dev = SDES[facts["sde"]](**facts["process"]), device()
        net = UNet(**facts["network"])
        net.load_state_dict({name: torch.from_numpy(a) for name, a in arrays.items()})
        run = self._precision(net.to(dev).eval(), dev)

        def score(x, t):  # all images are at the same time: its features are computed once
            return sde.score(run(x, sde.level(t[:1])), t)

        settings = dict(self.sampling)
        draw = {"pc": predictor_corrector, "heun": heun}[settings.pop("sampler")]
        size, channels = facts["network"]["size"], facts["network"]["channels"]
        out = np.empty((len(seeds), size, size, channels), np.uint8)
        with torch.inference_mode():
            for i in range(0, len(seeds), self.sample_batch):
                noise = ImageNoise(seeds[i : i + self.sample_batch], (channels, size, size), dev)
                out[i : i + self.sample_batch] = to_uint8(
                    draw(sde, score, noise, **settings), sde.centered
                )
        return out

    def _precision(self, net, dev):
        """`net` as a function that computes in the precision of this entry."""
        import torch

        half = self.precision == "bf16"
        if self.precision == "auto" and dev.type == "cuda":
            half = torch.cuda.is_bf16_supported()
        elif self.precision == "auto" and dev.type == "cpu":
            units = getattr(torch.cpu, "get_capabilities", dict)()  # {} in older versions
            wide = net.stem.out_channels >= 64  # below, conversions cost more than they save
            half = wide and units.get("amx_bf16", False)
        if not half:
            return net
        return partial(_autocast, net, dev.type)


def _autocast(net, kind: str, x, level):
    import torch

    with torch.autocast(kind, torch.bfloat16):
        return net(x, level)
