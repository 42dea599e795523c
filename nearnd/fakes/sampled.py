"""Fakes drawn from an early-stopped generator: FITYMI's near anomalies."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nearnd.fakes._levels import match_levels
from nearnd.fakes._stops import choose
from nearnd.seeds import image_seeds


@dataclass
class Sampled:
    stop: dict = field(default_factory=lambda: {"factor": 5})
    measure: str = "frechet"
    levels: str = "own"

    def draw(
        self, n: int, *, seed: int, normal: np.ndarray, sample, snapshots: str, fidelity: list[dict]
    ) -> tuple[np.ndarray, dict]:
        """n fakes uint8 (n, H, W, C) from the snapshot that `stop` picks, and its fidelity row.

        normal     the normal training images
        sample     (snapshot file, seeds) -> images
        snapshots  folder of step0000400.safetensors, ...
        fidelity   rows of the generator's fidelity table
        """
        row = choose(fidelity, self.stop, self.measure)
        file = Path(snapshots) / f"step{int(row['step']):07d}.safetensors"
        best = float(np.nanmin([r[self.measure] for r in fidelity]))
        facts = {key: value for key, value in row.items() if key not in ("n_real", "n_fake")}
        fakes = sample(file, image_seeds(seed, n))  # (n, H, W, C)
        if self.levels == "matched":
            fakes = match_levels(fakes, normal)
        return fakes, facts | {f"best_{self.measure}": best}


def build(stop: dict | None = None, measure: str = "frechet", levels: str = "own") -> Sampled:
    """`stop` defaults to the paper's rule of thumb, 5 times the distance of a converged run.

    `levels`: "own" leaves the images as drawn (the paper); "matched" gives the set the normal
    images' distribution of grey levels, which closes a shortcut between real and fake.
    """
    if levels not in ("own", "matched"):
        raise ValueError(f"sampled: levels is {levels!r}; it may be own or matched")
    return Sampled(stop or {"factor": 5}, measure, levels)
