"""The training of a normalizing flow by the likelihood of images, and that likelihood."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nearnd.generators._data import to_float
from nearnd.generators._latent import Training
from nearnd.generators._latent_sampling import load_snapshot
from nearnd.generators._noise import ImageNoise
from nearnd.generators.dense_flow import DenseFlow
from nearnd.jobs.device import device
from nearnd.jobs.seeds import image_seeds
from nearnd.jobs.update import Update
from nearnd.networks.augment import shifted
from nearnd.networks.glow import start
from nearnd.networks.micro_batch import MicroBatch


def training(
    model: DenseFlow, network: dict[str, Any], show: Callable[[int], Tensor], dev: torch.device
) -> Training:
    """See Latent; the loss is the bits per dimension of a batch."""
    net = model.bare(**network).to(dev).train()

    def batch(k: int) -> tuple[Tensor, Tensor]:
        """Images (B, C, S, S) in [0, 1] and standard-normal noise (B, pixels + net.noise)."""
        x = shifted((show(k) + 1) / 2, model.shift, "replicate")
        return x, torch.randn(len(x), net.pixels + net.noise, device=dev)

    with torch.no_grad():
        x, noise = batch(0)
        start(net, *net.spread(x, noise)[:2])
    adamax = torch.optim.Adamax(net.parameters(), model.lr)
    micro = MicroBatch(model.micro_batch or model.batch)
    falling = model.steps - model.last_steps

    def rate(i: int) -> float:
        """The rate at step i over lr."""
        if i >= falling:
            return model.last_lr / model.lr
        return min((i + 1) / max(model.warmup, 1), 1) * model.decay ** (i / falling)

    update = Update(adamax, schedule=rate, clip=model.clip, out_of_memory=micro.halve)

    def step(i: int) -> dict[str, float]:
        x, noise = batch(i)

        def loss() -> Iterator[Tensor]:
            for rows in micro.parts(len(x)):
                yield net.bits_per_dim(x[rows], noise[rows]).sum() / len(x)

        return {"bits_per_dim": update(i, loss)}

    return Training(step, {"net": net, "adamax": adamax}, "net")


def bits_per_dim(model: DenseFlow, snapshot: Path, pixels: np.ndarray) -> float:
    """The mean over images uint8 (n, S, S, C); the noise of image i depends on i alone."""
    net, _ = load_snapshot(model, snapshot)
    dev = device()
    net, seeds, found = net.to(dev), image_seeds(0, len(pixels)), np.empty(len(pixels))

    def fill(rows: slice) -> None:
        noise = ImageNoise(seeds[rows], (net.pixels + net.noise,), dev)()
        x = to_float(pixels[rows], dev, centered=False)  # (n, C, S, S)
        found[rows] = net.bits_per_dim(x, noise).cpu().numpy()

    with torch.inference_mode():
        MicroBatch(model.sample_batch).each(len(pixels), fill)
    return float(found.mean())
