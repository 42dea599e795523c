"""The baseline without a network: an image is its pixels."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nearnd.contracts import Embedding, Images, Network, Progress, silent
from nearnd.files.arrays import load_tensors, save_tensors

NEEDS = []
EMBEDS = ["features"]
ONE_MODEL = True
CHUNK = 256  # images that are resized at a time


def work(about, *, side: int, **rest) -> dict:
    """See contracts.py."""
    return {"network": Network(0.0, 0, min(about.side, side) ** 2 * about.channels)}


@dataclass
class Pixels:
    """Detector (contracts.py) with nothing to train: features are the pixels divided by 255.

    Images larger than `side` are shrunk to it first: features are in memory for all images at once,
    and of 256 pixels those of 20,000 images would be 16 GB.
    """

    side: int = 32

    def fit(self, normal: Images | None, **given) -> None:
        """Does nothing."""

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """{"features": float32 (N, D) in [0, 1]}, D = C times the square of `side` or of the
        images' own side, whichever is smaller."""
        from nearnd.files.decode import resize

        shape = pixels.shape[1:]
        if large := max(shape[:2]) > self.side:
            shape = (self.side, self.side, shape[2])
        features = np.empty((len(pixels), int(np.prod(shape))), np.float32)
        for i in range(0, len(pixels), CHUNK):
            some = pixels[i : i + CHUNK]
            some = resize(some, self.side) if large else some
            features[i : i + CHUNK] = some.reshape(len(some), -1)
        features /= 255
        return {"features": features}  # (N, D)

    def save(self, path: Path) -> None:
        save_tensors(path, {}, detector="pixels")

    def load(self, path: Path) -> None:
        load_tensors(path)


build = Pixels
