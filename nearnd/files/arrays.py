"""Arrays between stages: written whole or not at all, checked when read, never a pickle."""

import errno
import json
import mmap
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from nearnd.files.paths import lineage
from nearnd.files.regular import regular

CHUNK = 1 << 26  # bytes copied at a time
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # a full disk, a quota, a limit of file sizes
FACTS = 1 << 16  # bytes of facts that a .npy may have after its numbers
LINEAGE = "of"  # the fact that says which result a file is
AGAIN = "; if the pipeline made it, delete it and run again"


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A new name beside `path`; renamed to `path` on success, removed on failure.

    OSError that says why where it cannot be written; what was at `path` before stays.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        part.touch()
        mode = part.stat().st_mode  # as of any new file; safetensors makes its own for us alone
        part.unlink()  # whoever writes nothing shall be noticed
        yield part
        part.chmod(mode)
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except Exception as error:
        number = _errno(error)
        if number in NO_ROOM:
            part.unlink(missing_ok=True)
            free = shutil.disk_usage(path.parent).free / 1e6
            raise OSError(
                f"{path} could not be written: {error}. {free:.0f} MB are free there; make room and"
                " start again: what was finished before is whole, and the job goes on from its"
                " state"
            ) from error
        if number is not None and not isinstance(error, OSError):
            raise OSError(f"{path} could not be written: {error}") from error
        raise
    finally:
        part.unlink(missing_ok=True)


def remove_parts(path: str | Path) -> None:
    """Removes what a job that was killed while it wrote `path` left beside it.

    Only for a file that nobody else may be writing now.
    """
    path = Path(path)
    name = re.compile(rf"\.+{re.escape(path.name)}(\.[0-9a-f]{{8}}\.part)+")  # also of a part
    for part in path.parent.glob(".*.part"):
        if name.fullmatch(part.name):
            part.unlink(missing_ok=True)


def _errno(error: Exception) -> int | None:
    """What the system answered, None if the error is of another kind."""
    found = re.search(r"\(os error (\d+)\)", str(error))  # safetensors says it in the text only
    return getattr(error, "errno", None) or (int(found[1]) if found else None)


def save_array(path: str | Path, array: np.ndarray, **facts) -> None:
    """Writes .npy in chunks, so that a memory map is copied without being loaded; `facts` (JSON
    values) stand after the numbers, where readers of .npy do not look."""
    header = {"descr": np.lib.format.dtype_to_descr(array.dtype), "shape": array.shape}
    rows = max(1, CHUNK // max(1, array[:1].nbytes))
    with replacing(path) as part, open(part, "wb") as file:
        np.lib.format.write_array_header_1_0(file, header | {"fortran_order": False})
        for i in range(0, len(array), rows):
            file.write(np.ascontiguousarray(array[i : i + rows]))
            release(array)
        if facts := _signed(path, facts):
            file.write(json.dumps(facts).encode())


def scratch(shape: tuple[int, ...]) -> np.ndarray:
    """A uint8 array of zeros on a file without a name, in tempfile's folder: a memory map to fill.

    The file goes when the array does. There is room for all of it, so that a full disk is an
    OSError here and not a crash later.
    """
    nbytes = int(np.prod(shape))
    if not nbytes:
        return np.zeros(shape, np.uint8)
    with tempfile.TemporaryFile(prefix="nearnd-") as file:
        if hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(file.fileno(), 0, nbytes)
            except OSError as error:
                raise OSError(
                    f"no room for {nbytes / 1e9:.1f} GB of images in {tempfile.gettempdir()}:"
                    f" {error}; make room there"
                ) from error
        else:
            file.truncate(nbytes)
        return np.memmap(file, np.uint8, "r+", shape=shape)


def release(array: np.ndarray) -> None:
    """Takes the pages of a memory map that were used so far off this process's memory.

    They stay in the file, and in the system's cache while there is room. Nothing happens to an
    array that is no map, or whose changes are not for the file.
    """
    if not isinstance(array, np.memmap) or array.mode == "c":
        return
    while isinstance(array, np.ndarray):
        array = array.base
    if isinstance(array, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        array.madvise(mmap.MADV_DONTNEED)


def load_array(path: str | Path, ndim: int | None = None, dtype: str | None = None) -> np.ndarray:
    """A read-only memory map of a .npy file; ValueError if it is not what was asked for."""
    try:
        array = np.load(regular(path), mmap_mode="r", allow_pickle=False)
        _check_lineage(path, array_facts(path, array))
    except _Misplaced:
        raise
    except Exception as error:  # a damaged header raises errors of many types
        raise ValueError(f"{path} is not a readable .npy file: {error}{AGAIN}") from error
    if (ndim and array.ndim != ndim) or (dtype and array.dtype != np.dtype(dtype)):
        raise ValueError(
            f"{path} holds {array.dtype} {array.shape}, expected {dtype or 'any type'}"
            f" with {ndim or 'any number of'} axes{AGAIN}"
        )
    return array


def array_facts(path: str | Path, array: np.memmap) -> dict:
    """The facts of a .npy file that was loaded; none of a file that somebody else wrote."""
    with open(path, "rb") as file:
        file.seek(array.offset + array.nbytes)
        try:
            return _facts(file.read(FACTS).decode() or "{}")
        except ValueError:  # of another program
            return {}


def save_json(path: str | Path, facts) -> None:
    """Writes JSON values as text."""
    with replacing(path) as part:
        part.write_text(json.dumps(facts))


def save_tensors(path: str | Path, arrays: dict[str, np.ndarray], **facts) -> None:
    """Writes a safetensors file; `facts` (JSON values) go into its header."""
    from safetensors.numpy import save_file

    arrays = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    with replacing(path) as part:
        text = json.dumps(_signed(path, facts), sort_keys=True, allow_nan=False)
        save_file(arrays, part, metadata={"nearnd": text})


def load_tensors(path: str | Path) -> tuple[dict[str, np.ndarray], dict]:
    """The arrays and the facts of a safetensors file."""
    with _safetensors(path) as (file, facts):
        return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118


def load_rows(path: str | Path, n: int | None = None) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file that has a row for each image, (N, ...).

    ValueError, which names the file, if they are of different lengths or not of the `n` images that
    are wanted, or a number is not finite.
    """
    arrays, _ = load_tensors(path)
    for name, array in arrays.items():
        n = array.shape[0] if n is None and array.ndim else n
        if array.shape[:1] != (n,):
            raise ValueError(f"{path}: {name} is {array.shape}, not of {n} images{AGAIN}")
        if array.dtype.kind not in "fiub" or not np.isfinite(array).all():
            raise ValueError(
                f"{path}: {name} is {array.dtype} and has entries that are no finite numbers; see"
                f" the log of the detector's training{AGAIN}"
            )
    return arrays


def load_facts(path: str | Path) -> dict:
    """The facts of a safetensors file, without reading its arrays."""
    with _safetensors(path) as (_, facts):
        return facts


@contextmanager
def _safetensors(path: str | Path) -> Iterator[tuple]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(regular(path), "np") as file:
            facts = _facts((file.metadata() or {}).get("nearnd", "{}"))
            _check_lineage(path, facts)
            yield file, {name: value for name, value in facts.items() if name != LINEAGE}
    except _Misplaced:
        raise
    except (SafetensorError, OSError, ValueError, TypeError, LookupError, MemoryError) as error:
        # numpy has no name for some of the file's types, and no room for some of its sizes
        raise ValueError(f"{path} is not a readable safetensors file: {error}{AGAIN}") from error


def _facts(text: str) -> dict:
    """The JSON object; ValueError for anything else."""

    def refused(word: str):
        raise ValueError(f"{word} is no number of JSON")

    try:
        facts = json.loads(text, parse_constant=refused)
    except RecursionError as error:
        raise ValueError("its facts are too deep") from error
    if not isinstance(facts, dict):
        raise ValueError(f"its facts are {text[:80]!r}")
    return facts


# ---- what a file is of: a whole file of the same shape may have got into the place of another ----


class _Misplaced(ValueError):
    """The file of another result."""


def _signed(path: str | Path, facts: dict) -> dict:
    """The facts, with the lineage of a result."""
    of = lineage(path)
    return facts | {LINEAGE: of} if of else facts


def _check_lineage(path: str | Path, facts: dict) -> None:
    written, of = facts.get(LINEAGE), lineage(path)
    if written is not None and of is not None and written != of:
        raise _Misplaced(f"{path} is another result's file: it was written as {written}{AGAIN}")
