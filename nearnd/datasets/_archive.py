"""The images of an archive in any order: copied once into a scratch file without a name.

A tar.gz can only be read from its beginning; which image goes where is known at its end. Nothing is
unpacked under a name, so a path that leads elsewhere leads nowhere, and links are not followed.
"""

import logging
import os
import re
import tempfile
from pathlib import Path
from typing import NamedTuple

from nearnd.datasets._members import members

MOST = 1 << 27  # bytes of one file inside
MOST_TEXT = 1 << 22  # bytes of a table inside: a list of its lines takes far more
log = logging.getLogger("nearnd")


class Archive:
    """The files of a tar or zip whose names match `pattern` as a whole. Threads may share it.

    ValueError naming the archive if it is damaged or grows beyond bounds (files/packed.py).
    """

    def __init__(self, path: Path, pattern: str):
        self.path = path
        self._places: dict[str, tuple[int, int]] = {}  # name -> offset, length
        self._file = tempfile.TemporaryFile(prefix="nearnd-")  # noqa: SIM115, lives as long as self
        end = 0
        for name, content in members(path, pattern, MOST):
            self._places[name] = (end, len(content))
            end += self._file.write(content)
        self._file.flush()
        if not self._places:
            raise ValueError(f"{path} has no file that matches {pattern}: it is another archive")

    def __getitem__(self, name: str) -> "Member":
        if name not in self._places:
            raise ValueError(f"{self.path} has no {name} in it: it is another archive")
        return Member(self, name)

    def matching(self, pattern: str) -> list[tuple[re.Match, "Member"]]:
        """Sorted by name: the match, and the file."""
        found = ((re.fullmatch(pattern, name), name) for name in sorted(self._places))
        return [(match, Member(self, name)) for match, name in found if match]

    def lines(self, name: str) -> list[str]:
        """The lines of a text file that are not blank."""
        content = self[name].read_bytes()
        if len(content) > MOST_TEXT:
            raise ValueError(f"{name} in {self.path} is too large for a table: another archive")
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(f"{name} in {self.path} is no text: {error}") from error
        return [line.strip() for line in text.splitlines() if line.strip()]

    def pairs(self, name: str) -> dict[str, str]:
        """{first word: the rest} of each line of a text file."""
        rows = [line.split(maxsplit=1) for line in self.lines(name)]
        if any(len(row) != 2 for row in rows):
            raise ValueError(f"{name} in {self.path} has a line without two words")
        return dict(rows)

    def read(self, name: str) -> bytes:
        offset, length = self._places[name]
        return os.pread(self._file.fileno(), length, offset)


class Member(NamedTuple):
    """A file in an archive, to be read when it is needed."""

    archive: Archive
    name: str

    def read_bytes(self) -> bytes:
        return self.archive.read(self.name)

    def __str__(self) -> str:
        return f"{self.name} in {self.archive.path}"


def expect(dataset: str, what: str, found: int, published: int) -> None:
    """A warning if an archive whose checksum nobody published has another number of images."""
    if found != published:
        log.warning(f"{dataset}: {found} {what}, the published set has {published}")
