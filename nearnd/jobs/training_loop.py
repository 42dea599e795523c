"""The one training loop: snapshots, averages, errors in words, and going on after a kill.

Every step draws its randomness from (seed, step) alone, so a run that was killed and went on ends
with the same bytes as one that was not, and no generator state has to be kept.

`train` is for one network, one optimizer and one loss. A GAN writes its own step:

    adam = {name: torch.optim.Adam(net.parameters()) for name, net in [("d", d), ("g", g)]}
    update = {name: Update(optimizer, clip=1.0, name=name) for name, optimizer in adam.items()}

    def step(i):
        real, z = images(i), torch.randn(batch, 64)
        fake = lambda: softplus(-d(real)).mean() + softplus(d(g(z).detach())).mean()
        return {"d": update["d"](i, fake), "g": update["g"](i, lambda: softplus(-d(g(z))).mean())}

    parts = {"d_net": d, "g_net": g, "d_adam": adam["d"], "g_adam": adam["g"]}
    loop(step, parts, steps=1000, seed=seed, folder=folder, ema={"g_net": 0.999})
"""

import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from nearnd.contracts import Progress, silent
from nearnd.jobs.average import Average
from nearnd.jobs.resume import load_state, save_state, sigterm
from nearnd.jobs.update import Update, check

STATE = "last.safetensors"

log = logging.getLogger("nearnd")


def train(
    model: nn.Module,  # left in the mode (train or eval) that the caller chose
    optimizer: torch.optim.Optimizer,
    loss: Callable[[int], Tensor | Iterable[Tensor]],  # step -> its loss, whole or in parts that
    # add up to it, from a batch and noise that it draws with torch's global generator
    *,
    steps: int,
    seed: int,
    folder: str | Path | None,
    schedule: Callable[[int], float] | None = None,  # step -> factor of the learning rate
    clip: float | None = None,  # largest global gradient norm
    ema: float | None = None,  # averaging rate of the weights, see `ema_rate`
    snapshots: Iterable[int] = (),
    on_snapshot: Callable[[int, dict[str, Tensor]], bool | None] | None = None,  # gets a state dict
    save_every: float = 60.0,
    out_of_memory: Callable[[], None] | None = None,  # makes the parts smaller, or raises
    progress: Progress = silent,
) -> None:
    """Updates `model` `steps` times and leaves the final weights (their EMA if `ema`) in it.

    Arguments without a comment, errors, and going on after a kill: see `loop`; see `Update` for a
    loss in parts. Without `out_of_memory` too little memory on the GPU is a MemoryError.
    """
    trained = [p for p in model.parameters() if p.requires_grad]
    update = Update(
        optimizer, params=trained, schedule=schedule, clip=clip, out_of_memory=out_of_memory
    )
    loop(
        lambda step: update(step, lambda: loss(step)),
        {"model": model, "optimizer": optimizer},
        steps=steps,
        seed=seed,
        folder=folder,
        ema={} if ema is None else {"model": ema},
        snapshots=snapshots,
        on_snapshot=on_snapshot and (lambda step, weights: on_snapshot(step, weights["model"])),
        save_every=save_every,
        progress=progress,
    )


def loop(
    step: Callable[[int], float | dict[str, float]],  # does step i; returns its loss, or losses by
    # name. Its random numbers are those of torch's global generator, and its updates `Update`s
    parts: dict[str, nn.Module | torch.optim.Optimizer],  # by name, all that steps change: the
    # state of a killed job. What is no weight or moment can be a buffer of a module
    *,
    steps: int,  # how many
    seed: int,  # of all random numbers: torch is seeded with it and i before step i
    folder: str | Path | None,  # where a killed job finds its state; None: there is none
    ema: dict[str, float | Callable[[int], float]] | None = None,  # modules whose weights are
    # averaged -> rate (`jobs.average`)
    snapshots: Iterable[int] = (),  # after so many steps `on_snapshot` is called
    on_snapshot: Callable[[int, dict[str, dict[str, Tensor]]], bool | None] | None = None,
    # on_snapshot(step, weights): a state dict of each module, averages where there are any, of live
    # tensors (copy what is kept); True ends the training there. Called again if the job was killed
    # before the next save, or is started again later to train further
    save_every: float = 60.0,  # seconds between two saves; also at snapshots, and on SIGTERM
    progress: Progress = silent,  # told the step and its losses
) -> None:
    """Does `steps` steps, or those that are left of them, and leaves the averages in their modules.

    SIGTERM lets the step end, saves, and ends the job with exit code 143. FloatingPointError if a
    loss or gradient is not finite, or the loss DIVERGED times that of the first step; the state on
    disk stays the last good one. MemoryError if the GPU's memory does not suffice for a step.
    """
    averages = {name: Average(parts[name], rate) for name, rate in (ema or {}).items()}
    kept = parts | {f"ema of {name}": average.tensors for name, average in averages.items()}
    state = None if folder is None else Path(folder) / STATE
    due = set(snapshots) if on_snapshot else set()
    first: dict[str, float] = {}

    done = 0
    if state is not None and state.exists():
        done = load_state(state, kept)
        found = f"goes on from step {done} of {steps}, found in {state}"
        log.info(found, extra={"shown": True})
    saved = time.monotonic()

    def save() -> None:
        nonlocal saved
        if state is not None:
            save_state(state, done, kept)
        saved = time.monotonic()

    with sigterm(state is not None) as stop:
        while True:
            if done in due:
                save()
                with stop.at_once():
                    enough = on_snapshot(done, _weights(parts, averages))
                if enough:
                    break
            if done >= steps:
                break
            torch.manual_seed(step_seed(seed, done))
            losses = _losses(step, done, first, state)
            done += 1
            for average in averages.values():
                average.follow(done)
            if stop.asked or time.monotonic() - saved > save_every:
                save()
            if stop.asked:
                raise SystemExit(143)
            progress(done, steps, **losses)
        if done not in due:
            save()

    for average in averages.values():
        average.put()


def _losses(step: Callable, i: int, first: dict[str, float], state: Path | None) -> dict:
    """The losses of step i by name; `first` collects the first one of each name."""
    try:
        given = step(i)
        losses = given if isinstance(given, dict) else {"loss": given}
        for name, value in losses.items():
            check(name, value, first.setdefault(name, value))
        return losses
    except FloatingPointError as error:
        raise FloatingPointError(
            f"training broke at step {i}: {error}. Lower the learning rate (lr), lengthen the"
            " warm-up, set clip, or use precision: fp32 in the entry"
            + (f"; the last good state is in {state}." if state else ".")
        ) from error
    except torch.OutOfMemoryError as error:
        raise MemoryError(
            f"the GPU's memory does not suffice for a batch at step {i}: lower batch in the entry,"
            " let fewer jobs run on the GPU (--resources gpu=1), or compute on the CPU (device)."
            f" {error}"
        ) from error


def _weights(parts: dict, averages: dict[str, Average]) -> dict[str, dict[str, Tensor]]:
    """A state dict of each module, with averages in place of what they are averages of."""
    weights = {}
    for part, module in parts.items():
        if isinstance(module, nn.Module):
            weights[part] = {name: t.detach() for name, t in module.state_dict().items()}
            weights[part] |= averages[part].tensors if part in averages else {}
    return weights


def stages(folder: str | Path | None, progress: Progress, **steps: int) -> list[dict]:
    """For each stage of a training, given as name=steps, the arguments `steps`, `folder` (one of
    its name) and `progress` (of the whole) for `train` or `loop`."""
    arguments, before, total = [], 0, sum(steps.values())
    for name, n in steps.items():

        def told(step: int, _: int, before: int = before, **values) -> None:
            progress(before + step, total, **values)

        place = None if folder is None else Path(folder) / name
        arguments.append({"steps": n, "folder": place, "progress": told})
        before += n
    return arguments


def step_seed(seed: int, step: int) -> int:
    """A seed for one step, unrelated to those of its neighbours."""
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0])
