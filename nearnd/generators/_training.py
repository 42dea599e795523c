"""Training of a score network: denoising score matching, in the recipe of score_sde."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from nearnd.contracts import Progress, silent
from nearnd.files import snapshots
from nearnd.files.arrays import save_tensors
from nearnd.files.snapshots import snapshot
from nearnd.generators._data import largest_distance, square, to_float
from nearnd.generators._discrete import make
from nearnd.generators._loss import training_loss
from nearnd.generators._precision import in_precision
from nearnd.generators.score_sde import ScoreSDE
from nearnd.jobs.device import device
from nearnd.jobs.training_loop import step_seed, train
from nearnd.networks.batches import batch_rows
from nearnd.networks.micro_batch import MicroBatch
from nearnd.networks.unet import UNet


def train_score(
    model: ScoreSDE,
    pixels: np.ndarray,
    *,
    seed: int,
    folder: Path,
    monitor: Callable[[int, Path], bool],
    progress: Progress = silent,
) -> None:
    """Fits uint8 (N, S, S, C) and writes snapshots of the averaged weights into `folder`, until
    `monitor` returns True or all are made."""
    n, side, channels = square(pixels)
    if model.process.get("sigma_max") == "data":
        found = {"sigma_max": max(largest_distance(pixels), 1.0)}
        model = replace(model, process=model.process | found)
    facts, recipe = model.header(side, channels), model.recipe
    sde, dev = make(model.sde, model.process), device()
    torch.manual_seed(step_seed(seed, 2**32))
    net = UNet(**facts["network"]).to(dev).train()
    optimizer = torch.optim.Adam(
        (p for p in net.parameters() if p.requires_grad), recipe["lr"], fused=True
    )
    run = in_precision(net, dev, model.precision)
    batch, warmup = recipe["batch"], recipe["warmup"]
    due = snapshots.due(recipe["steps"], recipe["snapshots"])
    micro = MicroBatch(recipe["micro_batch"] or batch)

    def loss(step: int):
        x = to_float(pixels[batch_rows(step, n, batch, seed)], dev, sde.centered)  # (B, C, S, S)
        if recipe["flip"]:
            turn = torch.rand(batch, 1, 1, 1, device=dev) < 0.5
            x = torch.where(turn, x.flip(3), x)
        likelihood, parts = recipe["likelihood"], micro.parts(batch)
        return training_loss(run, sde, x, likelihood=likelihood, parts=parts)

    def keep(step: int, weights: dict) -> bool:
        file = snapshot(folder, step)
        arrays = {name: w.float().cpu().numpy() for name, w in weights.items()}
        save_tensors(file, arrays, **facts, step=step)
        return monitor(step, file)

    train(
        net,
        optimizer,
        loss,
        steps=due[-1],
        seed=seed,
        folder=folder,
        schedule=lambda step: min(step / warmup, 1.0) if warmup else 1.0,
        clip=recipe["clip"],
        ema=recipe["ema"],
        snapshots=due,
        on_snapshot=keep,
        out_of_memory=micro.halve,
        progress=progress,
    )
