"""Training of a score network: denoising score matching, in the recipe of score_sde."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from nearnd.arrays import save_tensors
from nearnd.contracts import Progress
from nearnd.device import device
from nearnd.generators._data import largest_distance, to_float
from nearnd.generators._loss import EPS, denoising_loss
from nearnd.generators._precision import in_precision
from nearnd.generators._sde import SDES
from nearnd.networks.batches import batch_rows
from nearnd.networks.unet import UNet
from nearnd.training import snapshot_steps, step_seed, train


def train_score(
    pixels: np.ndarray,
    name: str,
    process: dict,
    network: dict,
    recipe: dict,
    precision: str,
    *,
    seed: int,
    folder: Path,
    monitor: Callable[[int, Path], None],
    progress: Progress,
) -> None:
    """Fits uint8 (N, S, S, C) and writes snapshots of the averaged weights into `folder`.

    name and process: the SDE and its constants. network: of `UNet`, without size and channels.
    recipe: see `score_sde.build`.
    """
    n, height, width, channels = pixels.shape
    if n == 0 or height != width:
        raise ValueError(f"the generator needs square images, got uint8 {pixels.shape}")
    if process.get("sigma_max") == "data":
        process = process | {"sigma_max": max(largest_distance(pixels), 1.0)}
    facts = {
        "kind": "score_sde",
        "sde": name,
        "process": process,
        "network": dict(network, size=height, channels=channels),
    }
    sde, dev = SDES[name](**process), device()
    torch.manual_seed(step_seed(seed, 2**32))
    net = UNet(**facts["network"]).to(dev).train()
    optimizer = torch.optim.Adam(
        (p for p in net.parameters() if p.requires_grad), recipe["lr"], fused=True
    )
    run = in_precision(net, dev, precision)
    batch, steps, warmup = recipe["batch"], recipe["steps"], recipe["warmup"]

    def loss(step: int):
        x = to_float(pixels[batch_rows(step, n, batch, seed)], dev, sde.centered)  # (B, C, S, S)
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
