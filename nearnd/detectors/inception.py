"""Features of the Inception network in which published Fréchet distances are computed."""

from pathlib import Path

import numpy as np

from nearnd.contracts import Embedding, Images, Progress, silent
from nearnd.files.arrays import load_tensors, save_tensors

NEEDS = ["backbone"]
EMBEDS = ["features"]
FEATURES = 2048
ONE_MODEL = True


def work(about, **rest) -> dict:
    """See contracts.py."""
    return {}


class Inception:
    """Detector (contracts.py) with nothing to train: its file is the backbone's. Images of any size
    are scaled to 299 pixels inside."""

    def fit(self, normal: Images | None, *, backbone: Path | None = None, **given) -> None:
        """Remembers the backbone, an entry of kind inception."""
        if backbone is None:
            raise ValueError("inception needs its weights: set `backbone` in the detector's entry")
        self.file = Path(backbone)

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """{"features": float32 (N, 2048)}."""
        from nearnd.networks.inception import inception_features

        return {"features": inception_features(pixels, self.file)}

    def save(self, path: Path) -> None:
        tensors, facts = load_tensors(self.file)
        save_tensors(path, tensors, **facts)

    def load(self, path: Path) -> None:
        self.file = Path(path)


build = Inception
