"""The training of a generator on latent variables, by the one training loop."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nearnd.contracts import Progress, silent
from nearnd.files.arrays import save_tensors
from nearnd.files.snapshots import due, snapshot
from nearnd.generators._data import square, to_float
from nearnd.generators._latent import Latent
from nearnd.jobs.device import device
from nearnd.jobs.training_loop import loop, step_seed
from nearnd.networks.batches import batch_rows


def train_latent(
    model: Latent,
    pixels: np.ndarray,
    *,
    seed: int,
    folder: Path,
    monitor: Callable[[int, Path], bool],
    progress: Progress = silent,
) -> None:
    """Fits uint8 (N, S, S, C) and writes snapshots of the network that draws into `folder`, until
    `monitor` returns True or all are made."""
    n, side, channels = square(pixels)
    network, dev = model.network(side, channels), device()

    def show(k: int) -> Tensor:
        rows = batch_rows(k, n, model.batch, seed)
        x = to_float(pixels[rows], dev, centered=True)  # (B, C, S, S)
        if not model.flip:
            return x
        turn = torch.rand(len(x), 1, 1, 1, device=dev) < 0.5
        return torch.where(turn, x.flip(3), x)

    torch.manual_seed(step_seed(seed, 2**32))
    training = model.training(network, show, dev)

    def keep(step: int, weights: dict[str, dict[str, Tensor]]) -> bool:
        kept = training.settle(weights[training.drawn])
        arrays = {name: w.detach().cpu().numpy() for name, w in kept.items()}
        file = snapshot(folder, step)
        save_tensors(file, arrays, kind=model.kind, network=network, step=step)
        return monitor(step, file)

    steps = due(model.steps, model.snapshots)
    loop(
        training.step,
        training.parts,
        steps=steps[-1],
        seed=seed,
        folder=folder,
        ema=training.ema,
        snapshots=steps,
        on_snapshot=keep,
        progress=progress,
    )
