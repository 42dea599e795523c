"""The baseline without a network: an image is its pixels."""

from pathlib import Path

import numpy as np

from nearnd.contracts import Embedding, Images, Network, Progress, silent
from nearnd.files.arrays import load_tensors, save_tensors

NEEDS = []
EMBEDS = ["features"]
ONE_MODEL = True


def work(about, **rest) -> dict:
    """See contracts.py."""
    return {"network": Network(0.0, 0, about.side**2 * about.channels)}


class Pixels:
    """Detector (contracts.py) with nothing to train: features are the pixels divided by 255."""

    def fit(self, normal: Images | None, **given) -> None:
        """Does nothing."""

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """{"features": float32 (N, H * W * C) in [0, 1]}."""
        flat = np.asarray(pixels).reshape(len(pixels), int(np.prod(pixels.shape[1:])))  # (N, D)
        return {"features": flat.astype(np.float32) / np.float32(255)}  # (N, D)

    def save(self, path: Path) -> None:
        save_tensors(path, {}, detector="pixels")

    def load(self, path: Path) -> None:
        load_tensors(path)


build = Pixels
