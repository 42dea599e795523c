"""When a training keeps a snapshot, and where: the one place that knows their names."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np


def snapshot(folder: str | Path, step: int) -> Path:
    """The file of the weights after so many steps."""
    return Path(folder) / f"step{step:07d}.safetensors"


def snapshots(folder: str | Path) -> dict[int, Path]:
    """{step: file} of all that a folder has, in order of training."""
    files = Path(folder).glob("step*.safetensors")
    found = {int(file.stem.removeprefix("step")): file for file in files}
    return dict(sorted(found.items()))


def due(steps: int, given: int | Sequence[int]) -> list[int]:
    """The steps after which a snapshot is taken, rising: those given, or so many at geometric
    distances. Training ends with the last one."""
    given = snapshot_steps(steps, given) if isinstance(given, int) else given
    found = sorted({step for step in given if 0 < step <= steps})
    if not found:
        raise ValueError(f"snapshots is {given}; none is a step from 1 to steps: {steps}")
    return found


def snapshot_steps(steps: int, count: int) -> list[int]:
    """About `count` steps from a hundredth of `steps` (at least 50) to `steps`, each a fixed factor
    after the one before."""
    first = min(max(50, steps // 100), steps)
    return sorted({round(s) for s in np.geomspace(first, steps, count)} | {steps})
