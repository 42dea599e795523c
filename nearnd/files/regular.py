"""A file of plain bytes, and not too many of them: what may be opened at all."""

import hashlib
import os
import stat
from pathlib import Path


def regular(path: str | Path, most: int | None = None) -> Path:
    """The path, if a regular file of at most `most` bytes lies there, or a link to one.

    A pipe would be waited for and a device read without end. ValueError, which names the file, if
    it is something else or larger; if there is none, or it may not be looked at.
    """
    try:
        found = os.stat(path)
    except (OSError, ValueError) as error:  # a name with a zero byte is the latter
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"{path} cannot be read: {reason}") from error
    if not stat.S_ISREG(found.st_mode):
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe, a device or a socket"
        raise ValueError(f"{path} is {what}, not a file")
    if most is not None and found.st_size > most:
        raise ValueError(
            f"{path} has {found.st_size / 1e6:.1f} MB, at most {most / 1e6:.1f} MB are read"
        )
    return Path(path)


def sha256(file: str | Path) -> str:
    """Of the whole file, in hex."""
    with open(regular(file), "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
