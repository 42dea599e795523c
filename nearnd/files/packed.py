"""What is inside a tar or zip archive, one file after the other; never unpacked under a name.

A small archive can hold far more than a machine has: one file of zeros, a name of gigabytes,
millions of empty entries. So everything is bounded before memory is taken for it: what is read for
one entry's header, the number of entries, and the stream that a compressed archive becomes.
"""

import bz2
import gzip
import hashlib
import lzma
import math
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

ENTRIES = 200_000  # of one archive; the largest published one here has 120,000
NAME = 1000  # characters of an entry's name
HEADER = 1 << 16  # bytes that a tar may spend on one entry beside its content
INDEX = 1 << 25  # bytes of a zip's table of contents
LEAST, EXPANSION = 1 << 28, 100  # bytes, and times its own size, that an archive may hold
MUCH = f"holds more than {EXPANSION} times its own size"
CHUNK = 1 << 20
OPENERS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # zipfile bounds no output of the other methods


class Entry(NamedTuple):
    """A regular file inside."""

    name: str
    size: int  # as the archive says
    pieces: Callable[[], Iterator[bytes]]  # its content; only until the next entry is asked for


class _Beyond(Exception):
    """More than is allowed."""


class _Bounded:
    """A file of which `left` bytes may be read yet, and nothing behind `end`."""

    def __init__(self, file: BinaryIO, left: float, end: float):
        self.file, self.left, self.end = file, left, end

    def read(self, n: int = -1) -> bytes:
        most = self.left + 1  # the one more tells that there is more
        content = self.file.read(n if 0 <= n < most or most == math.inf else int(most))
        self.left -= len(content)
        if self.left < 0:
            raise _Beyond("has a header or a table of contents larger than any archive needs")
        return content

    def seek(self, at: int, whence: int = 0) -> int:
        if whence == 0 and at > self.end:
            raise _Beyond(MUCH)
        return self.file.seek(at, whence)

    def __getattr__(self, name: str):
        return getattr(self.file, name)


def limit(archive: Path) -> int:
    """The bytes that an archive may hold; photographs hardly shrink."""
    return max(LEAST, EXPANSION * archive.stat().st_size)


def entries(archive: Path) -> Iterator[Entry]:
    """The regular files of a tar (plain, gz, bz2, xz) or zip, in the archive's order.

    ValueError naming the archive if it is truncated or damaged, or grows beyond bounds.
    """
    with _told(archive), open(archive, "rb") as file:
        start = file.read(8)
        if start.startswith(b"PK"):
            file.seek(0)
            found = _zip(archive, file)
        else:
            found = _tar(archive, start)
        for n, entry in enumerate(found):
            if n == ENTRIES:
                raise _Beyond(f"has more than {ENTRIES} entries")
            if len(entry.name) > NAME:
                raise _Beyond(f"has a name of {len(entry.name)} characters")
            if entry.size >= 0:
                yield entry


def whole(file: Path) -> None:
    """Reads an archive or a packed file to its end. ValueError if it is truncated or damaged; a
    file of another kind says nothing of that."""
    with open(file, "rb") as content:
        start = content.read(8)
    if start.startswith(b"PK"):
        left = limit(file)
        with _told(file):
            for entry in entries(file):
                left -= entry.size
                if left < 0:
                    raise _Beyond(MUCH)
                for _ in entry.pieces():
                    pass
    elif opener := _opener(start):
        with _told(file), opener(file, "rb") as content:
            total, most = 0, limit(file)
            while piece := content.read(CHUNK):
                total += len(piece)
                if total > most:
                    raise _Beyond(MUCH)
    elif ".tar" in file.suffixes:
        for _ in entries(file):
            pass


def check(archive: Path, sha1: dict[str, str]) -> None:
    """ValueError unless each of the files has its SHA-1, in whatever folder of the archive."""
    missing = {name.rsplit("/", 1)[-1]: wanted for name, wanted in sha1.items()}
    for entry in entries(archive):
        wanted = missing.pop(base := entry.name.rsplit("/", 1)[-1], None)
        if wanted is None:
            continue
        found = hashlib.sha1(usedforsecurity=False)
        for piece in entry.pieces():
            found.update(piece)
        if found.hexdigest() != wanted:
            raise ValueError(
                f"{archive}: {base} inside it has SHA-1 {found.hexdigest()}, published is {wanted}"
            )
    if missing:
        raise ValueError(f"{archive} has no {', '.join(missing)} in it: it is another archive")


@contextmanager
def _told(archive: Path) -> Iterator[None]:
    try:
        yield
    except _Beyond as error:
        raise ValueError(f"{archive} {error}: a decompression bomb?") from error
    except Exception as error:  # damaged headers raise errors of many types
        if str(error).startswith(str(archive)):
            raise  # said already
        reason = str(error) or type(error).__name__
        raise ValueError(f"{archive} is truncated or damaged, not readable: {reason}") from error


def _opener(start: bytes) -> Callable | None:
    return next((OPENERS[magic] for magic in OPENERS if start.startswith(magic)), None)


def _tar(archive: Path, start: bytes) -> Iterator[Entry]:
    with (_opener(start) or open)(archive, "rb") as file:
        stream = _Bounded(file, HEADER, limit(archive))
        with tarfile.open(fileobj=stream, mode="r:") as tar:
            while member := tar.next():
                stream.left = math.inf
                regular = member.isreg() and member.size >= 0
                yield Entry(
                    member.name.removeprefix("./"),
                    member.size if regular else -1,
                    lambda m=member: _pieces(archive, lambda: tar.extractfile(m), m.size),
                )
                tar.members.clear()  # tarfile keeps all of them, and what global headers said
                tar.pax_headers.clear()
                stream.left = HEADER


def _zip(archive: Path, file: BinaryIO) -> Iterator[Entry]:
    stream = _Bounded(file, INDEX, math.inf)
    with zipfile.ZipFile(stream) as content:
        stream.left = math.inf
        for member in content.infolist():
            yield Entry(
                member.filename,
                -1 if member.is_dir() else member.file_size,
                lambda m=member: _pieces(archive, lambda: _opened(content, m), m.file_size),
            )


def _opened(content: zipfile.ZipFile, member: zipfile.ZipInfo) -> BinaryIO:
    if member.compress_type not in PLAIN:
        raise zipfile.BadZipFile(f"{member.filename} is packed by a method that is not read")
    return content.open(member)


def _pieces(archive: Path, opened: Callable[[], BinaryIO], size: int) -> Iterator[bytes]:
    with _told(archive), opened() as file:
        have = 0
        while piece := file.read(CHUNK):  # to its end, where a zip compares the checksum
            have += len(piece)
            yield piece
        if have != size:
            raise EOFError(f"a file inside it ends after {have} of {size} bytes")
