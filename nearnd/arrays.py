"""Arrays between stages: written whole or not at all, checked when read, never a pickle."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

CHUNK = 1 << 26  # bytes copied at a time


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A new name beside `path`; renamed to `path` on success, removed on failure."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        yield part
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def save_array(path: str | Path, array: np.ndarray) -> None:
    """Writes .npy in chunks, so that a memory map is copied without being loaded."""
    with replacing(path) as part:
        out = np.lib.format.open_memmap(part, "w+", array.dtype, array.shape)
        rows = max(1, CHUNK // max(1, array[:1].nbytes))
        for i in range(0, len(array), rows):
            out[i : i + rows] = array[i : i + rows]
        out.flush()


def load_array(path: str | Path, ndim: int | None = None, dtype: str | None = None) -> np.ndarray:
    """A read-only memory map of a .npy file; ValueError if it is not what was asked for."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"{path} is not a readable .npy file: {error}") from error
    if (ndim and array.ndim != ndim) or (dtype and array.dtype != np.dtype(dtype)):
        raise ValueError(
            f"{path} holds {array.dtype} {array.shape}, expected {dtype or 'any type'}"
            f" with {ndim or 'any number of'} axes"
        )
    return array


def save_tensors(path: str | Path, arrays: dict[str, np.ndarray], **facts) -> None:
    """Writes a safetensors file; `facts` (JSON values) go into its header."""
    from safetensors.numpy import save_file

    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    with replacing(path) as part:
        save_file(arrays, part, metadata={"nearnd": json.dumps(facts, sort_keys=True)})


def load_tensors(path: str | Path) -> tuple[dict[str, np.ndarray], dict]:
    """The arrays and the facts of a safetensors file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            facts = json.loads((file.metadata() or {}).get("nearnd", "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is not a readable safetensors file: {error}") from error
