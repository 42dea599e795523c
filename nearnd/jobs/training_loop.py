"""The one optimisation loop: schedule, clipping, EMA, snapshots, and going on after a kill.

Every step draws its randomness from (seed, step) alone, so a run that was killed and went on ends
with the same bytes as one that was not, and no generator state has to be kept.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from nearnd.contracts import Progress, silent
from nearnd.jobs.resume import load_state, save_state, sigterm

STATE = "last.safetensors"
DIVERGED = 1e6  # times the first loss: weights that give such a one are of no use

log = logging.getLogger("nearnd")


def train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Callable[[int], Tensor | Iterable[Tensor]],
    *,
    steps: int,
    seed: int,
    folder: str | Path | None,
    schedule: Callable[[int], float] | None = None,
    clip: float | None = None,
    ema: float | None = None,
    snapshots: Iterable[int] = (),
    on_snapshot: Callable[[int, dict[str, Tensor]], bool | None] | None = None,
    save_every: float = 60.0,
    out_of_memory: Callable[[], None] | None = None,
    progress: Progress = silent,
) -> None:
    """Updates `model` `steps` times and leaves the final weights (their EMA if `ema`) in it.

    `loss(step)` draws a batch and noise with torch's global generator, seeded here for each step.
    It may give the loss in parts that add up to it: each is propagated back, and its memory freed,
    before the next is asked for. Where the GPU's memory does not suffice, `out_of_memory()` makes
    the parts smaller, or raises, and the step is done again; without it that is a MemoryError.
    `schedule(step)` multiplies the learning rate, `clip` is the largest global gradient norm,
    `ema` the averaging rate (see `ema_rate`). After as many updates as a number in `snapshots`,
    `on_snapshot(step, weights)` gets a state dict of live tensors (copy what is kept) and returns
    True to end the training there; it is called again if the job was killed before the next save,
    or is started again later to train further. `folder` holds the state from which a killed
    job goes on (None: none), written every `save_every` seconds, at snapshots and on SIGTERM, which
    then ends the job with exit code 143.
    The caller chooses train or eval mode. FloatingPointError if the loss or its gradient is not
    finite, or the loss DIVERGED times that of the first step; the state on disk stays the last good
    one.
    """
    state = None if folder is None else Path(folder) / STATE
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    params = list(trained.values())
    average = None if ema is None else {name: p.detach().clone() for name, p in trained.items()}
    rates = [group["lr"] for group in optimizer.param_groups]
    due = set(snapshots) if on_snapshot else set()

    step = 0
    if state is not None and state.exists():
        step = load_state(state, model, optimizer, average)
        log.info(f"goes on from step {step} of {steps}, found in {state}")
    saved = time.monotonic()
    first = None

    def save() -> None:
        nonlocal saved
        if state is not None:
            save_state(state, step, model, optimizer, average)
        saved = time.monotonic()

    with sigterm(state is not None) as stop:
        while True:
            if step in due:
                save()
                with stop.at_once():
                    enough = on_snapshot(step, _weights(model, average))
                if enough:
                    break
            if step >= steps:
                break
            factor = 1.0 if schedule is None else schedule(step)
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * factor
            value = _gradients(loss, step, seed, optimizer, out_of_memory)
            norm = get_total_norm([p.grad for p in params if p.grad is not None])
            size = float(norm)
            first = value if first is None else first
            broken = not (math.isfinite(value) and math.isfinite(size))
            if broken or value > DIVERGED * max(abs(first), 1.0):
                raise FloatingPointError(
                    f"training broke at step {step}: loss {value:.4g} (at first {first:.4g}),"
                    f" gradient norm {size:.4g}, learning rate {rates[0] * factor:g}. Lower the"
                    " learning rate (lr), lengthen the warm-up, set clip, or use precision: fp32"
                    " in the entry" + (f"; the last good state is in {state}." if state else ".")
                )
            if clip is not None:
                clip_grads_with_norm_(params, clip, norm)
            optimizer.step()
            step += 1
            if average is not None:
                weight = 1 - ema_rate(ema, step)
                torch._foreach_lerp_(list(average.values()), [p.detach() for p in params], weight)
            if stop.asked or time.monotonic() - saved > save_every:
                save()
            if stop.asked:
                raise SystemExit(143)
            progress(step, steps, loss=value)
        if step not in due:
            save()

    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    if average is not None:
        with torch.no_grad():
            torch._foreach_copy_(params, list(average.values()))


def _gradients(loss, step: int, seed: int, optimizer, out_of_memory) -> float:
    """Sets the gradients of one step and returns its loss."""
    while True:
        torch.manual_seed(step_seed(seed, step))
        optimizer.zero_grad(set_to_none=True)
        try:
            return _backward(loss(step))
        except torch.OutOfMemoryError as error:
            if out_of_memory is None:
                raise MemoryError(
                    f"the GPU's memory does not suffice for a batch at step {step}: lower batch in"
                    " the entry, let fewer jobs run on the GPU (--resources gpu=1), or compute on"
                    f" the CPU (device). {error}"
                ) from error
        out_of_memory()  # not in the except clause, which keeps the failed step's tensors alive


def _backward(loss: Tensor | Iterable[Tensor]) -> float:
    """Adds the gradients of a loss, given whole or in parts, and returns its value."""
    value = 0.0
    for part in [loss] if isinstance(loss, Tensor) else loss:
        part.backward()
        value = value + part.detach()
    return float(value)


def ema_rate(rate: float, n: int) -> float:
    """The averaging rate of the n-th update (n = 1, 2, ...): min(rate, (1 + n) / (10 + n)), so that
    early averages forget the initial weights (score_sde)."""
    return min(rate, (1 + n) / (10 + n))


def step_seed(seed: int, step: int) -> int:
    """A seed for one step, unrelated to those of its neighbours."""
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0])


def snapshot_steps(steps: int, count: int) -> list[int]:
    """About `count` steps from a hundredth of `steps` (at least 50) to `steps`, each a fixed factor
    after the one before."""
    first = min(max(50, steps // 100), steps)
    return sorted({round(s) for s in np.geomspace(first, steps, count)} | {steps})


def _weights(model: nn.Module, average: dict[str, Tensor] | None) -> dict[str, Tensor]:
    weights = {name: t.detach() for name, t in model.state_dict().items()}
    return weights if average is None else weights | average
