"""Files inside a tar or zip archive, and .gz and .npy contents: read in memory, never unpacked.

Nothing is written to disk, links are not followed, a pickle is not loaded, and every size is
bounded before memory is taken for it (files/packed.py), so that a small file cannot fill the
machine.
"""

import gzip
import io
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from nearnd.files.packed import MUCH, entries, limit

HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def members(archive: Path, pattern: str, most: int) -> Iterator[tuple[str, bytes]]:
    """(name, content) of the regular files whose whole name matches, in the archive's order.

    `most` is the largest size in bytes of any of them. ValueError naming the archive if one is
    larger, if together they are more than such an archive can hold, or if it is truncated or
    damaged.
    """
    wanted, left = re.compile(pattern), limit(archive)
    for entry in entries(archive):
        if not wanted.fullmatch(entry.name):
            continue
        if entry.size > most:
            raise ValueError(
                f"{archive}: {entry.name} inside it has {entry.size} bytes, this dataset's files"
                f" have at most {most}: it is another archive"
            )
        left -= entry.size
        if left < 0:
            raise ValueError(f"{archive} {MUCH}: a decompression bomb?")
        content = io.BytesIO()  # grows in place: joined pieces would take twice the memory
        content.writelines(entry.pieces())
        yield entry.name, content.getvalue()


def named(archive: Path, names: Iterable[str], most: int) -> Iterator[tuple[str, bytes]]:
    """As `members`, for files that must all be there, each once, in whatever folder: an archive
    that was packed anew may have another one around everything."""
    missing = list(names)
    pattern = re.compile(rf"(?:.+/)?({'|'.join(map(re.escape, missing))})")
    for path, content in members(archive, pattern.pattern, most):
        name = pattern.fullmatch(path)[1]
        if name not in missing:
            raise ValueError(f"{archive} has {name} twice")
        missing.remove(name)
        yield name, content
    if missing:
        raise ValueError(f"{archive} has no {', '.join(missing)} in it: it is another archive")


def gunzipped(source: Path | bytes, name: str, most: int) -> bytes:
    """The content of a .gz, at most `most` bytes; `name` for messages. ValueError as above."""
    try:
        with gzip.open(io.BytesIO(source) if isinstance(source, bytes) else source) as file:
            content = file.read(most + 1)
    except Exception as error:  # damage raises errors of many types
        raise ValueError(f"{name} is truncated or damaged: {error or type(error)}") from error
    if len(content) > most:
        raise ValueError(f"{name} holds more than {most} bytes: it is another file")
    return content


def array(source: Path | bytes, name: str, shape: tuple, dtypes: Iterable[str]) -> np.ndarray:
    """The array of a .npy: a memory map if `source` is a file.

    `shape` has None where any length will do. ValueError naming the file if it is truncated, a
    pickle, or of another shape or type.
    """
    try:
        if isinstance(source, bytes):
            file = io.BytesIO(source)
            sizes, _, dtype = HEADERS[np.lib.format.read_magic(file)](file)
            if math.prod(sizes) * dtype.itemsize > len(source):  # before memory is taken for it
                raise ValueError(f"{dtype} {sizes} are more than its {len(source)} bytes")
            file.seek(0)
            found = np.lib.format.read_array(file, allow_pickle=False)
        else:
            found = np.lib.format.open_memmap(source, mode="r")  # no pickle either
    except Exception as error:  # a damaged header raises errors of many types
        raise ValueError(f"{name} is not a whole .npy of numbers: {error}") from error
    same = len(shape) == found.ndim and all(
        expected in (None, length) for expected, length in zip(shape, found.shape, strict=True)
    )
    if not same or str(found.dtype) not in dtypes:
        text = ", ".join("N" if length is None else str(length) for length in shape)
        raise ValueError(
            f"{name} holds {found.dtype} {found.shape}, expected {' or '.join(dtypes)} ({text})"
        )
    return found
