"""A score network with a stochastic differential equation: the generator of FITYMI."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nearnd import plugins
from nearnd.contracts import Plan, Sampler
from nearnd.files.snapshots import due

LABEL = "SDE"
# what the contract tests train
TOY = {
    "nf": 16, "channel_mult": [1, 1], "blocks": 1, "attention": [], "inner": "none", "batch": 8,
    "lr": 2.0e-3, "warmup": 5, "steps": 12, "snapshots": [6, 12], "sigma_max": 8.0,
    "sampler": {"kind": "heun", "steps": 3},
}  # fmt: skip


def build(
    *,
    sde: Literal["ve", "vp", "subvp"] = "ve",
    continuous: bool = True,
    num_scales: int | None = None,
    likelihood: bool = False,
    sigma_min: float = 0.01,
    sigma_max: float | Literal["data"] = 50.0,
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
    network: Mapping[str, Any] | None = None,
    lr: float = 2e-4,
    warmup: int = 5000,
    clip: float | None = 1.0,
    ema: float = 0.999,
    batch: int = 128,
    micro_batch: int | None = None,
    steps: int = 1_300_000,
    snapshots: int | Sequence[int] = 40,
    flip: bool = True,
    sampler: Mapping[str, Any] | None = None,
    sample_batch: int = 256,
    precision: Literal["auto", "fp32", "bf16"] = "auto",
) -> "ScoreSDE":
    """The VE score SDE with an NCSN++ network; defaults are the published CIFAR-10 configuration
    `ve/cifar10_ncsnpp_continuous`.

    sde: "ve", "vp" or "subvp" (their published network: fir False, inner "none", ema 0.9999).
    continuous: times in [0, 1], or (False) the num_scales noise levels (1000) of SMLD ("ve") and
    DDPM ("vp"), which the network is told by number. likelihood: weight the loss by g(t)^2.
    sigma_max: VE's largest noise, or "data": the largest distance between two training images.
    nf, channel_mult, blocks, attention, dropout, fir, inner, outer: see `networks.unet.UNet`;
    network: its other arguments.
    warmup: steps until the learning rate is reached. clip: largest gradient norm, None for none.
    micro_batch: images of a batch that are in memory at a time, None for all; halved by itself
    where the GPU's memory does not suffice. The same gradients, but for the masks of dropout.
    snapshots: the steps at which weights are kept, or how many, at geometric distances from a
    hundredth of the steps on.
    sampler: an entry of samplers. None: pc as published, reverse diffusion with Langevin steps for
    VE, Euler-Maruyama without for VP and sub-VP.
    sample_batch: images sampled at a time. precision: "fp32", "bf16" or "auto": bf16 where it is
    faster, on GPUs, and on CPUs with matrix units (AMX) where nf times the size is 512 or more.
    Deviation from the official code: Langevin steps use the norms of each image instead of batch
    means (`norms: batch`), and pixels are rounded to uint8, not cut off, so that a sample that
    equals a training image gives back its bytes.
    """
    if continuous and num_scales is not None:
        raise ValueError(
            f"num_scales is {num_scales}, which is for continuous: false; the number of noise"
            " levels in sampling is sampler: {kind: pc, steps: ...}"
        )
    if not continuous and (sde == "subvp" or likelihood):
        what = "sde: subvp" if sde == "subvp" else "likelihood: true"
        raise ValueError(f"{what} is defined with continuous: true only")
    if sampler is None:  # the published ones
        euler = {"predictor": "euler_maruyama", "corrector": "none"}
        sampler = {"kind": "pc"} | ({} if sde == "ve" else euler)
    if not isinstance(sampler, Mapping) or "kind" not in sampler:
        raise ValueError(
            f"sampler is {sampler!r}; it may be {{kind: ..., steps: ...}} with a kind out of"
            f" {', '.join(plugins.available('samplers'))}"
        )
    draw = plugins.build("samplers", sampler)
    plugins.call("samplers", {**sampler, "sde": sde, "continuous": continuous}, "check")
    ve = sde == "ve"
    plain = {
        "nf": nf, "channel_mult": list(channel_mult), "blocks": blocks,
        "attention": list(attention), "dropout": dropout, "fir": fir, "inner": inner,
        "outer": outer, "centered": not ve,
        "by_sigma": ve and continuous,  # a discrete network is divided by sigma outside
        "embedding": "fourier" if ve and continuous else "positional",
    }  # fmt: skip
    if twice := sorted(plain.keys() & (network or {}).keys()):
        raise ValueError(
            f"network: {', '.join(twice)} stand beside network or follow from sde and continuous;"
            " they cannot be set in it"
        )
    process = {"sigma_min": sigma_min, "sigma_max": sigma_max}
    if not ve:
        process = {"beta_min": beta_min, "beta_max": beta_max}
    if not continuous:
        process["num_scales"] = num_scales or 1000
    recipe = {
        "lr": lr, "warmup": warmup, "clip": clip, "ema": ema, "batch": batch,
        "micro_batch": micro_batch, "steps": steps, "snapshots": snapshots, "flip": flip,
        "likelihood": likelihood,
    }  # fmt: skip
    whole = plain | dict(network or {})
    return ScoreSDE(sde, process, whole, recipe, draw, sample_batch, precision)


def check(**arguments: Any) -> None:
    """ValueError if an entry cannot work; for the check of a config before any job, without
    torch."""
    recipe = build(**arguments).recipe
    due(recipe["steps"], recipe["snapshots"])


def training_steps(*, steps: int, **rest: Any) -> int:
    """See contracts.py."""
    return steps


def snapshots(*, steps: int, snapshots: int | Sequence[int], **rest: Any) -> list[int]:
    """See contracts.py."""
    return due(steps, snapshots)


def work(about, **arguments: Any) -> dict[str, Any]:
    """See contracts.py."""
    from nearnd.networks import flops

    model = build(**arguments)
    network = model.network | {"size": about.side, "channels": about.channels}
    return {"network": flops.unet(network), "plan": model.plan()}


@dataclass(frozen=True)
class ScoreSDE:
    """The contract `Generator`. A snapshot names its network and SDE in its header."""

    sde: str  # "ve", "vp" or "subvp"
    process: dict  # its constants; with num_scales the discrete one
    network: dict  # arguments of UNet, without size and channels
    recipe: dict  # of the training
    sampler: Sampler
    sample_batch: int
    precision: str

    def header(self, size: int, channels: int) -> dict[str, Any]:
        """The header of a snapshot for images of so many pixels a side."""
        network = self.network | {"size": size, "channels": channels}
        return {"kind": "score_sde", "sde": self.sde, "process": self.process, "network": network}

    def plan(self) -> Plan:
        """See the contract."""
        from nearnd.generators._plan import plan

        return plan(self)

    def train(self, pixels: np.ndarray, *, labels: np.ndarray | None = None, **given: Any) -> None:
        """See the contract; uint8 (N, S, S, C), C = 1 or 3. Labels are not looked at: the network
        learns the images of all classes together."""
        from nearnd.generators._training import train_score

        train_score(self, pixels, **given)

    def sample(self, snapshot: Path, seeds: np.ndarray) -> np.ndarray:
        """See the contract: needs the snapshot and this entry's sampler, nothing else."""
        return self.sample_counted(snapshot, seeds)[0]

    def noised(
        self, snapshot: Path, seeds: np.ndarray, images: np.ndarray, strength: float
    ) -> np.ndarray:
        """See the contract; of samplers in steps of the noise level."""
        from nearnd.generators._sampling import sample

        return sample(self, snapshot, seeds, images, strength)[0]

    def sample_counted(self, snapshot: Path, seeds: np.ndarray) -> tuple[np.ndarray, float]:
        """The images, and how often the network was called for each, on average."""
        from nearnd.generators._sampling import sample

        return sample(self, snapshot, seeds)
