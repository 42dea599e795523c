"""The one optimisation loop: schedule, clipping, EMA, snapshots, and going on after a kill.

Every step draws its randomness from (seed, step) alone, so a run that was killed and went on ends
with the same bytes as one that was not, and no generator state has to be kept.
"""

from __future__ import annotations

import json
import logging
import math
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from nearnd.arrays import replacing
from nearnd.contracts import Progress, silent

STATE = "last.safetensors"

log = logging.getLogger("nearnd")


def train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Callable[[int], Tensor],
    *,
    steps: int,
    seed: int,
    folder: str | Path | None,
    schedule: Callable[[int], float] | None = None,
    clip: float | None = None,
    ema: float | None = None,
    snapshots: Iterable[int] = (),
    on_snapshot: Callable[[int, dict[str, Tensor]], None] | None = None,
    save_every: float = 60.0,
    progress: Progress = silent,
) -> None:
    """Updates `model` `steps` times and leaves the final weights (their EMA if `ema`) in it.

    `loss(step)` draws a batch and noise with torch's global generator, seeded here for each step.
    `schedule(step)` multiplies the learning rate, `clip` is the largest global gradient norm,
    `ema` the averaging rate (see `ema_rate`). After as many updates as a number in `snapshots`,
    `on_snapshot(step, weights)` gets a state dict of live tensors (copy what is kept); it is called
    again if the job was killed before the next save. `folder` holds the state from which a killed
    job goes on (None: none), written every `save_every` seconds, at snapshots and on SIGTERM, which
    then ends the job with exit code 143.
    The caller chooses train or eval mode. FloatingPointError if the loss or its gradient is not
    finite; the state on disk stays the last good one.
    """
    state = None if folder is None else Path(folder) / STATE
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    params = list(trained.values())
    average = None if ema is None else {name: p.detach().clone() for name, p in trained.items()}
    rates = [group["lr"] for group in optimizer.param_groups]
    due = set(snapshots) if on_snapshot else set()

    step = 0
    if state is not None and state.exists():
        step = _load(state, model, optimizer, average)
        log.info(f"goes on from step {step} of {steps}, found in {state}")
    saved = time.monotonic()

    def save() -> None:
        nonlocal saved
        if state is not None:
            _save(state, step, model, optimizer, average)
        saved = time.monotonic()

    with _sigterm(state is not None) as stop:
        while True:
            if step in due:
                save()
                with stop.at_once():
                    on_snapshot(step, _weights(model, average))
            if step >= steps:
                break
            torch.manual_seed(step_seed(seed, step))
            factor = 1.0 if schedule is None else schedule(step)
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * factor
            optimizer.zero_grad(set_to_none=True)
            error = loss(step)
            error.backward()
            grads = [p.grad for p in params if p.grad is not None]
            norm = get_total_norm(grads)
            value, size = float(error.detach()), float(norm)
            if not (math.isfinite(value) and math.isfinite(size)):
                raise FloatingPointError(
                    f"training broke at step {step}: loss {value}, gradient norm {size}, learning"
                    f" rate {rates[0] * factor:g}. Lower the learning rate (lr), lengthen the"
                    " warm-up, set clip, or use precision: fp32 in the entry"
                    + (f"; the last good state is in {state}." if state else ".")
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
        save()

    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    if average is not None:
        with torch.no_grad():
            torch._foreach_copy_(params, list(average.values()))


def ema_rate(rate: float, n: int) -> float:
    """The averaging rate of the n-th update (n = 1, 2, ...): min(rate, (1 + n) / (10 + n)), so that
    early averages forget the initial weights (score_sde)."""
    return min(rate, (1 + n) / (10 + n))


def step_seed(seed: int, step: int) -> int:
    """A seed for one step, unrelated to those of its neighbours."""
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0])


def snapshot_steps(steps: int, count: int, first: int = 50) -> list[int]:
    """About `count` steps from `first` to `steps`, each a fixed factor after the one before."""
    return sorted({round(s) for s in np.geomspace(min(first, steps), steps, count)} | {steps})


def _weights(model: nn.Module, average: dict[str, Tensor] | None) -> dict[str, Tensor]:
    weights = {name: t.detach() for name, t in model.state_dict().items()}
    return weights if average is None else weights | average


def _save(path: Path, step: int, model, optimizer, average) -> None:
    from safetensors.torch import save_file

    tensors = {f"model.{name}": t for name, t in model.state_dict().items()}
    tensors |= {f"ema.{name}": t for name, t in (average or {}).items()}
    for i, values in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{i}.{k}": v for k, v in values.items() if v is not None}
    tensors = {name: t.detach().contiguous() for name, t in tensors.items()}
    with replacing(path) as part:
        save_file(tensors, part, metadata={"nearnd": json.dumps({"step": step})})


@torch.no_grad()
def _load(path: Path, model, optimizer, average) -> int:
    """Puts the saved tensors in their places, in the memory format of the parameters."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            step = json.loads(file.metadata()["nearnd"])["step"]
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        for name, t in model.state_dict().items():
            t.copy_(tensors[f"model.{name}"])
        for name, t in (average or {}).items():
            t.copy_(tensors[f"ema.{name}"])
        params = [p for group in optimizer.param_groups for p in group["params"]]
        values: dict[int, dict[str, Tensor]] = {}
        for name, t in tensors.items():
            if name.startswith("optimizer."):
                _, i, key = name.split(".", 2)
                p = params[int(i)]
                # Fused kernels walk raw memory: moments must lie in memory as their parameter does.
                values.setdefault(int(i), {})[key] = (
                    torch.empty_like(p, dtype=t.dtype).copy_(t) if t.shape == p.shape else t
                )
        optimizer.load_state_dict(optimizer.state_dict() | {"state": values})
    except (SafetensorError, OSError, TypeError, LookupError, RuntimeError, ValueError) as error:
        raise ValueError(
            f"{path} is not a state of this training ({type(error).__name__}: {error});"
            " delete the file to start again"
        ) from error
    return step


class _Stop:
    """Whether SIGTERM came; inside `at_once`, where all is saved, it ends the job on the spot."""

    asked = False
    now = False

    def __call__(self, *_) -> None:
        self.asked = True
        if self.now:
            raise SystemExit(143)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        self.now = True
        try:
            if self.asked:
                raise SystemExit(143)
            yield
        finally:
            self.now = False


@contextmanager
def _sigterm(wanted: bool) -> Iterator[_Stop]:
    stop = _Stop()
    if not wanted or threading.current_thread() is not threading.main_thread():
        yield stop  # signal handlers can be set in the main thread only
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)
