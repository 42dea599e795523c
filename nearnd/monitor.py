"""Watches a generator: at each snapshot draws images, measures them, and keeps a few to look at."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from nearnd.arrays import replacing, save_array
from nearnd.contracts import Embedding, Fidelity
from nearnd.seeds import image_seeds

PREVIEWS = 16  # images kept of each snapshot

log = logging.getLogger("nearnd")


class Monitor:
    """monitor(step, file) after each snapshot; what it found survives a kill in `folder`.

    Every snapshot draws from the same seeds, as many images as there are real ones (or `images`):
    distances depend on these numbers, so they stand beside each distance.
    """

    def __init__(
        self,
        real: np.ndarray,
        sample: Callable[[Path, np.ndarray], np.ndarray],
        embed: Callable[[np.ndarray], Embedding],
        measures: dict[str, Fidelity],
        seed: int,
        folder: Path,
        images: int | None = None,
    ):
        self.real, self.sample, self.embed, self.measures = real, sample, embed, measures
        self.seeds = image_seeds(seed, images or len(real))
        self.folder = Path(folder)
        self._features: np.ndarray | None = None

    def __call__(self, step: int, file: Path) -> None:
        row = self.folder / f"fidelity{step:07d}.json"
        if row.exists():
            return
        if self._features is None:  # the real ones once
            self._features = self.embed(self.real)["features"]  # (N, D)
        fakes = self.sample(file, self.seeds)  # (n, H, W, C)
        features = self.embed(fakes)["features"]  # (n, D)
        facts = {"step": step, "n_real": len(self.real), "n_fake": len(fakes)}
        facts |= {name: float(m(self._features, features)) for name, m in self.measures.items()}
        save_array(self.folder / f"previews{step:07d}.npy", fakes[:PREVIEWS])
        with replacing(row) as part:
            part.write_text(json.dumps(facts))
        log.info(", ".join(f"{name} {value:.4g}" for name, value in facts.items()))

    def table(self) -> pd.DataFrame:
        """One row for each snapshot: step, n_real, n_fake and the measures."""
        files = sorted(self.folder.glob("fidelity*.json"))
        return pd.DataFrame([json.loads(file.read_text()) for file in files])

    def previews(self) -> np.ndarray:
        """The first images of each snapshot, uint8 (S, n, H, W, C)."""
        files = sorted(self.folder.glob("previews*.npy"))
        return np.stack([np.load(file, allow_pickle=False) for file in files])


def publish(folder: Path, target: str | Path) -> None:
    """Puts the snapshots into the output folder, as links where the file system allows."""
    target = Path(target)
    target.mkdir(parents=True, exist_ok=True)
    for file in sorted(Path(folder).glob("step*.safetensors")):
        try:
            os.link(file, target / file.name)
        except OSError:
            shutil.copy2(file, target / file.name)
