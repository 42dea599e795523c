"""The simplest baseline: how bright an image is in each colour, and how rough.

What a method with a network has to beat: where these few numbers tell anomalies apart, as stains of
a blood cell's kind or a scratch on an even surface, nothing is learnt from a larger one's success.
"""

from pathlib import Path

import numpy as np

from nearnd.contracts import Embedding, Images, Network, Progress, silent
from nearnd.files.arrays import load_tensors, save_tensors

NEEDS = []
EMBEDS = ["features"]
ONE_MODEL = True


def work(about, **rest) -> dict:
    """See contracts.py."""
    return {"network": Network(0.0, 0, 4 * about.channels)}


class Colour:
    """Detector (contracts.py) with nothing to train: 12 features of a colour image, 4 of a grey
    one, of pixels in [0, 1]."""

    def fit(self, normal: Images | None, **given) -> None:
        """Does nothing."""

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """{"features": float32 (N, 4 C)}: of each channel the mean, the standard deviation, and
        those of the gradient, the absolute differences of pixels side by side and one above the
        other. Turned and mirrored images have the same."""
        features = np.zeros((len(pixels), 4, pixels.shape[3]), np.float32)
        for image, row in zip(pixels, features, strict=True):
            x = image / 255  # (H, W, C)
            steps = [np.abs(np.diff(x, axis=axis)).reshape(-1, x.shape[2]) for axis in (0, 1)]
            for k, values in enumerate((x.reshape(-1, x.shape[2]), np.concatenate(steps))):
                if len(values):  # an image of one pixel has no gradient
                    row[2 * k : 2 * k + 2] = values.mean(axis=0), values.std(axis=0)
        return {"features": features.reshape(len(pixels), 4 * pixels.shape[3])}  # (N, 4 C)

    def save(self, path: Path) -> None:
        save_tensors(path, {}, detector="colour")

    def load(self, path: Path) -> None:
        load_tensors(path)


build = Colour
