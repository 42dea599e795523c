"""What lets a killed training go on: its state on disk, and an end in good order on SIGTERM."""

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from nearnd.files.arrays import replacing

# What a training changes: a module, an optimizer, or tensors by name.
Part = nn.Module | torch.optim.Optimizer | dict[str, Tensor]


def save_state(path: Path, step: int, parts: dict[str, Part]) -> None:
    """Writes all that the parts have become after `step` steps: weights, buffers and moments."""
    from safetensors.torch import save_file

    tensors = {f"{part}/{name}": t for part in parts for name, t in _tensors(parts[part]).items()}
    tensors = {name: t.detach().contiguous() for name, t in tensors.items()}
    with replacing(path) as file:
        save_file(tensors, file, metadata={"nearnd": json.dumps({"step": step})})


def load_state(path: Path, parts: dict[str, Part]) -> int:
    """Puts the saved tensors in their places and returns the step. ValueError if the file is
    damaged or of another training."""
    from safetensors import SafetensorError, safe_open

    saved: dict[str, dict[str, Tensor]] = {part: {} for part in parts}
    try:
        with safe_open(path, "pt") as file:
            step = json.loads(file.metadata()["nearnd"])["step"]
            for key in file.keys():  # noqa: SIM118 - no dict
                part, _, name = key.partition("/")
                saved[part][name] = file.get_tensor(key)
        for part, tensors in saved.items():
            _put(parts[part], tensors)
    except (SafetensorError, OSError, TypeError, LookupError, RuntimeError, ValueError) as error:
        raise ValueError(
            f"{path} is not a state of this training ({type(error).__name__}: {error});"
            " delete the file to start again"
        ) from error
    return step


def _tensors(part: Part) -> dict[str, Tensor]:
    """The tensors of a part by name; of an optimizer, parameter by parameter."""
    if not isinstance(part, torch.optim.Optimizer):
        return part.state_dict() if isinstance(part, nn.Module) else part
    moments = part.state_dict()["state"]
    return {f"{i}.{k}": v for i in moments for k, v in moments[i].items() if v is not None}


@torch.no_grad()
def _put(part: Part, tensors: dict[str, Tensor]) -> None:
    """The inverse of `_tensors`, in the memory format that each tensor has in the part."""
    if not isinstance(part, torch.optim.Optimizer):
        for name, t in _tensors(part).items():
            t.copy_(tensors[name])
        return
    params = [p for group in part.param_groups for p in group["params"]]
    moments: dict[int, dict[str, Tensor]] = {}
    for name, t in tensors.items():
        i, key = name.split(".", 1)
        p = params[int(i)]
        # Fused kernels walk raw memory: moments must lie in memory as their parameter does.
        moments.setdefault(int(i), {})[key] = (
            torch.empty_like(p, dtype=t.dtype).copy_(t) if t.shape == p.shape else t
        )
    part.load_state_dict(part.state_dict() | {"state": moments})


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
