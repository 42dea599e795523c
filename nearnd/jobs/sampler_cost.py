"""What samplers cost and give: the same snapshot drawn from with other settings, and measured."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from nearnd.contracts import Embedding, Fidelity, Progress, silent
from nearnd.files.snapshots import snapshots
from nearnd.jobs.seeds import image_seeds

log = logging.getLogger("nearnd")


def sampler_cost(
    draws: list[tuple[dict, Callable[[Path, np.ndarray], tuple[np.ndarray, float]]]],
    snapshot: Path,
    real: np.ndarray,
    embed: Callable[[np.ndarray], Embedding],
    measures: dict[str, Fidelity],
    *,
    images: int,
    repeats: int,
    seed: int,
    progress: Progress = silent,
) -> pd.DataFrame:
    """A row for each setting and repeat: the setting, repeat, n_real, n_fake, calls, seconds, and
    the measures.

    draws: (columns that name the setting, (snapshot, seeds) -> images (n, H, W, C) and calls of the
    network for each). real: the features (N, D) of the real images. Repeat r has the same seeds
    for all settings and other ones than the other repeats.
    """
    draws[0][1](snapshot, image_seeds(seed, 1))  # loads and compiles what is needed, untimed
    seeds = image_seeds(seed, images * repeats).reshape(repeats, images)
    rows = []
    for setting, draw in draws:
        for repeat in range(repeats):
            began = time.perf_counter()
            fakes, calls = draw(snapshot, seeds[repeat])
            seconds = time.perf_counter() - began
            features = embed(fakes)["features"]  # (n, D)
            row = {**setting, "repeat": repeat, "n_real": len(real), "n_fake": len(fakes)}
            row |= {"calls": calls, "seconds": seconds}
            rows.append(row | {name: float(m(real, features)) for name, m in measures.items()})
            shown = {k: f"{v:.4g}" if isinstance(v, float) else v for k, v in rows[-1].items()}
            log.info(", ".join(f"{key} {value}" for key, value in shown.items()))
            progress(len(rows), len(draws) * repeats)
    return pd.DataFrame(rows)


def snapshot_at(folder: str | Path, step: int | None) -> Path:
    """The snapshot of that step, the last one if None; ValueError if there is none."""
    files = snapshots(folder)
    if step is None and files:
        return files[max(files)]
    if step not in files:
        raise ValueError(
            f"samplers: step {step} has no snapshot in {folder}; there are {sorted(files)}"
        )
    return files[step]
