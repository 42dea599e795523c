"""MATLAB files: plain numbers and words, no objects.

SciPy's reader is C that trusts the file: a changed byte can make it write where it must not (1.17),
and end the process, now or later. So the file is read by a process of its own.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

LOADS = "_mat_reader.py"  # a change of it makes the images again


def read_mat(source, *names: str) -> list[np.ndarray]:
    """The variables `names` of a .mat file (a Path, or a file in an archive), as rows (N,); a
    structure as rows with named fields.

    ValueError naming the file if it is damaged or lacks one.
    """
    with tempfile.TemporaryFile(prefix="nearnd-") as out:
        command = [sys.executable, "-P", str(Path(__file__).with_name(LOADS)), *names]
        done = subprocess.run(
            command,
            input=source.read_bytes(),
            stdout=out,
            stderr=subprocess.PIPE,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},  # each reserves memory for itself
            check=False,
        )
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines() or [""]
            crash = f"reading it ended with signal {-done.returncode}"
            reason = said[-1] if done.returncode > 0 else crash
            raise ValueError(f"{source} is not a readable .mat file: {reason}")
        out.seek(0)
        with np.load(out, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
    return [_rows(name, arrays) for name in names]


def _rows(name: str, arrays: dict[str, np.ndarray]) -> np.ndarray:
    """The array of a variable, or those of its fields as one with names."""
    if name in arrays:
        return arrays[name]
    fields = {key.split("/", 1)[1]: a for key, a in arrays.items() if key.startswith(f"{name}/")}
    return np.rec.fromarrays(list(fields.values()), names=list(fields))
