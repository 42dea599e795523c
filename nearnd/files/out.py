"""A table to a place that the user names: whether it can be written there is found out before any
work, and nothing is destroyed."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from nearnd.files.tables import save_table


def place(out: Path, kept: Iterable[Path], option: str = "--out", what: str = "csv file") -> Path:
    """Where to write: what a link leads to. ValueError or OSError if that cannot be.

    kept: files that must not be replaced.
    """
    if out.is_dir():
        raise ValueError(f"{out} is a folder; {option} may be the name of a {what}")
    if out.exists() and not out.is_file():
        return out  # a pipe or a device: it is written to as it is
    target = Path(os.path.realpath(out))
    if target.is_symlink():
        raise ValueError(f"{out} is a link that leads back to itself")
    if target in {Path(os.path.realpath(file)) for file in kept}:
        raise ValueError(f"{out} is one of the files that are read; {option} would replace it")
    if target.exists() and not os.access(target, os.W_OK):
        raise ValueError(f"{out} is write-protected")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=target.parent):
            return target
    except OSError as error:
        raise OSError(f"{out} cannot be written: {error.strerror}") from error


def write(target: Path, table: pd.DataFrame) -> None:
    """Writes it there; if that fails after all, the table is printed, since it took work."""
    try:
        if target.exists() and not target.is_file():
            table.to_csv(target, index=False, float_format="%.9g")
        else:
            save_table(target, table)
    except OSError:
        print(table.to_csv(index=False, float_format="%.9g"))
        raise
