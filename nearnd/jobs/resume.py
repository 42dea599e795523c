"""What lets a killed training go on: its state on disk, and an end in good order on SIGTERM."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from nearnd.files.arrays import replacing


def save_state(
    path: Path, step: int, model: nn.Module, optimizer, average: dict[str, Tensor] | None
) -> None:
    """Writes weights, their running average and the optimizer's moments after `step` updates."""
    from safetensors.torch import save_file

    tensors = {f"model.{name}": t for name, t in model.state_dict().items()}
    tensors |= {f"ema.{name}": t for name, t in (average or {}).items()}
    for i, values in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{i}.{k}": v for k, v in values.items() if v is not None}
    tensors = {name: t.detach().contiguous() for name, t in tensors.items()}
    with replacing(path) as part:
        save_file(tensors, part, metadata={"nearnd": json.dumps({"step": step})})


@torch.no_grad()
def load_state(path: Path, model: nn.Module, optimizer, average: dict[str, Tensor] | None) -> int:
    """Puts the saved tensors in their places, in the memory format of the parameters, and returns
    the step. ValueError if the file is damaged or of another training."""
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


class Stop:
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
def sigterm(wanted: bool) -> Iterator[Stop]:
    """Inside, SIGTERM only sets `asked` of what is given; nothing is caught if not `wanted`."""
    stop = Stop()
    if not wanted or threading.current_thread() is not threading.main_thread():
        yield stop  # signal handlers can be set in the main thread only
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)
