"""A stranger's file of weights: its tensors are read here, and nothing in it is run.

No library is handed such a file, since what it does with it depends on its version.
"""

import pickle
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nearnd.files.header import brief
from nearnd.files.regular import regular

if TYPE_CHECKING:
    from torch import Tensor

MOST = 64 << 30  # bytes of a file; the largest of timm's have 26 GB
PACKED = 8  # times the file's size that its tensors may have: weights hardly compress
INSIDE = ("state_dict_ema", "model_ema", "state_dict", "model")  # where checkpoints keep weights


def read_weights(path: str | Path, harmless: list[tuple[type, str]] | None = None) -> Any:
    """What the file holds: tensors, numbers and containers of them; of a .npz the arrays by name.

    A file of safetensors, numpy or torch, which its content tells. `harmless`: (stand-in, name) of
    further classes that a pickle may name, replaced by the stand-ins. ValueError, which names the
    file, if it wants to run something, is damaged, or its tensors are much larger than it.
    """
    file = regular(path, MOST)
    size = file.stat().st_size
    try:
        with open(file, "rb") as start:
            head = start.read(9)
        members = _members(file, size)
        if head[8:] == b"{":  # after the header's length
            from safetensors.torch import load_file

            content = load_file(file)
        elif members and all(name.endswith(".npy") for name in members):
            with np.load(file, allow_pickle=False) as found:
                content = {name: found[name] for name in found.files}
        else:
            content = _pickled(file, bool(members), harmless or [])
        _bounded(sum(t.numel() * t.element_size() for t in _tensors(content)), size)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path} is refused, nothing in it was run: {error}. A file of weights may hold"
            " tensors, numbers and containers of them"
        ) from error
    except Exception as error:  # a damaged file raises errors of many types
        raise ValueError(
            f"{path} cannot be read, it is cut off, damaged or no file of weights ({brief(error)})"
        ) from error
    return content


def state_dict(path: str | Path) -> dict[str, "Tensor"]:
    """The tensors of a network by name: of a checkpoint the averaged weights, else the last ones.

    ValueError, which names the file, if it is no such file or a number is not finite.
    """
    content = read_weights(path)
    if isinstance(content, dict):
        content = next((content[key] for key in INSIDE if content.get(key) is not None), content)
    named = isinstance(content, dict) and all(
        isinstance(name, str) and hasattr(t, "is_floating_point") for name, t in content.items()
    )
    if not named or not content:
        raise ValueError(f"{path} does not hold tensors by name, so it is no file of weights")
    if odd := [n for n, t in content.items() if not bool(t.isfinite().all())]:
        raise ValueError(f"{path} has numbers that are not finite, in {odd[0]}")
    # what parallel and compiled training put before the names
    return {re.sub(r"^(_orig_mod\.|module\.)+", "", name): t for name, t in content.items()}


def _pickled(file: Path, zipped: bool, harmless: list[tuple[type, str]]) -> Any:
    """A file of torch, by its restricted unpickler; what is not looked at is not read."""
    import torch

    try:
        with torch.serialization.safe_globals(harmless):
            return torch.load(file, map_location="cpu", weights_only=True, mmap=zipped)
    except pickle.UnpicklingError as error:
        wants = torch.serialization.get_unsafe_globals_in_checkpoint(file) if zipped else []
        wants = sorted(set(wants) - {name for _, name in harmless})
        said = re.search(r"WeightsUnpickler error: (.*)", str(error))  # the rest is advice
        reason = said[1].strip() if said else "it is no plain file of tensors"
        reason = f"it wants to use {', '.join(wants)}" if wants else reason
        raise pickle.UnpicklingError(reason) from error


def _members(file: Path, size: int) -> list[str]:
    """The names in a zip archive, none of another file; ValueError where it is a bomb."""
    if not zipfile.is_zipfile(file):
        return []
    with zipfile.ZipFile(file) as archive:
        _bounded(sum(info.file_size for info in archive.infolist()), size)
        return archive.namelist()


def _tensors(content: Any) -> Iterator["Tensor"]:
    """The tensors anywhere inside; ValueError for one that is not plain memory."""
    import torch

    todo, seen = [content], set()
    while todo:
        part = todo.pop()
        if isinstance(part, torch.Tensor):
            if part.layout != torch.strided or part.device.type != "cpu" or part.is_quantized:
                raise ValueError(f"a tensor is {part.layout}, {part.dtype}, on {part.device}")
            yield part
        elif isinstance(part, dict | list | tuple) and id(part) not in seen:
            seen.add(id(part))  # a list may be in itself
            todo += part.values() if isinstance(part, dict) else part


def _bounded(nbytes: int, size: int) -> None:
    if nbytes > PACKED * size + 2**20:
        raise ValueError(f"it has {size} bytes, what is in it {nbytes}")
