"""Files inside a tar or zip archive, and .gz and .npy contents: read in memory, never unpacked.

Nothing is written to disk, links are not followed, a pickle is not loaded, and every size is
bounded before memory is taken for it, so that a small file cannot fill the machine.
"""

import gzip
import io
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

DAMAGE = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError),
    *(NotImplementedError, RuntimeError),  # zip: an unknown method; a password
    *(UnicodeError, IndexError),  # zip: a name that is no text; an empty one
)


def members(archive: Path, pattern: str, most: int) -> Iterator[tuple[str, bytes]]:
    """(name, content) of the regular files whose whole name matches, in the archive's order.

    `most` is the largest size in bytes of any file inside. ValueError naming the archive if one is
    larger, or if the archive is truncated or damaged.
    """
    wanted = re.compile(pattern)
    try:
        if zipfile.is_zipfile(archive):
            found = _zip(archive, wanted, most)
        else:
            found = _tar(archive, wanted, most)
        yield from found
    except DAMAGE as error:
        raise ValueError(f"{archive} is truncated or damaged: {error or type(error)}") from error


def named(archive: Path, names: Iterable[str], most: int) -> Iterator[tuple[str, bytes]]:
    """As `members`, for files that must all be there, each once."""
    missing = list(names)
    for name, content in members(archive, "|".join(map(re.escape, missing)), most):
        if name not in missing:
            raise ValueError(f"{archive} has {name} twice")
        missing.remove(name)
        yield name, content
    if missing:
        raise ValueError(f"{archive} has no {', '.join(missing)} in it: it is another archive")


def _tar(archive: Path, wanted: re.Pattern, most: int) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(archive, "r:*") as tar:
        for member in tar:
            name = member.name.removeprefix("./")
            _bounded(archive, name, member.size, most)
            if member.isreg() and wanted.fullmatch(name):
                content = tar.extractfile(member).read()
                if len(content) != member.size:
                    raise tarfile.ReadError(f"{name} ends after {len(content)} bytes")
                yield name, content


def _zip(archive: Path, wanted: re.Pattern, most: int) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(archive) as content:
        for member in content.infolist():
            _bounded(archive, member.filename, member.file_size, most)
            if not member.is_dir() and wanted.fullmatch(member.filename):
                yield member.filename, content.read(member)


def _bounded(archive: Path, name: str, size: int, most: int) -> None:
    if size > most:
        raise ValueError(
            f"{archive}: {name} inside it has {size} bytes, this dataset's files have at most"
            f" {most}: it is another archive"
        )


def gunzipped(source: Path | bytes, name: str, most: int) -> bytes:
    """The content of a .gz, at most `most` bytes; `name` for messages. ValueError as above."""
    try:
        with gzip.open(io.BytesIO(source) if isinstance(source, bytes) else source) as file:
            content = file.read(most + 1)
    except DAMAGE as error:
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
            found = np.lib.format.read_array(io.BytesIO(source), allow_pickle=False)
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
