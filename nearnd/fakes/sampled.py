"""Fakes drawn from an early-stopped generator: FITYMI's near anomalies."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nearnd.fakes._stops import choose
from nearnd.seeds import image_seeds


@dataclass
class Sampled:
    stop: dict = field(default_factory=lambda: {"factor": 5})
    measure: str = "frechet"

    def draw(self, n: int, *, seed: int, sample, snapshots: str, fidelity: list[dict]):
        """n fakes uint8 (n, H, W, C) from the snapshot that `stop` picks, and its fidelity row.

        sample     (snapshot file, seeds) -> images
        snapshots  folder of step0000400.safetensors, ...
        fidelity   rows of the generator's fidelity table
        """
        row = choose(fidelity, self.stop, self.measure)
        file = Path(snapshots) / f"step{int(row['step']):07d}.safetensors"
        best = float(np.nanmin([r[self.measure] for r in fidelity]))
        facts = {key: value for key, value in row.items() if key not in ("n_real", "n_fake")}
        return sample(file, image_seeds(seed, n)), facts | {f"best_{self.measure}": best}


def build(stop: dict | None = None, measure: str = "frechet") -> Sampled:
    """`stop` defaults to the paper's rule of thumb, 5 times the distance of a converged run."""
    return Sampled(stop or {"factor": 5}, measure)
