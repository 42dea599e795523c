"""Defects drawn on normal images: what would a method find, where no real anomaly is at hand?

They are no stand-in for the anomalies of a task: a method that finds drawn scratches may miss real
ones. They say whether something of that size and contrast can be found at all.
"""

from collections.abc import Callable
from functools import cache

import numpy as np

from nearnd.jobs.cutpaste import cutpasted

CONTRAST = 40  # grey levels, of 255, by which a scratch or a blot differs


def scratch(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A straight, thin line: 1 % of the side wide, 20 to 45 % long, brighter or darker."""
    side = min(image.shape[:2])
    y, x = _grid(image)
    angle, length = random.uniform(0, np.pi), random.uniform(0.2, 0.45) * side
    row, column = _middle(image, random, 0.3)
    along = (x - column) * np.cos(angle) + (y - row) * np.sin(angle)  # (H, W)
    off = np.hypot((y - row) * np.cos(angle) - (x - column) * np.sin(angle),
                   np.maximum(np.abs(along) - length / 2, 0))  # fmt: skip
    return _mixed(image, np.clip(max(0.01 * side, 1) / 2 + 0.5 - off, 0, 1), random)


def blot(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A round spot with a radius of 3 to 6 % of the side, brighter or darker."""
    y, x = _grid(image)
    row, column = _middle(image, random, 0.2)
    radius = random.uniform(0.03, 0.06) * min(image.shape[:2])
    return _mixed(image, np.clip(radius + 0.5 - np.hypot(y - row, x - column), 0, 1), random)


def blur(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The whole picture out of focus: a Gaussian blur of 1.5 % of the side."""
    from scipy.ndimage import gaussian_filter

    sigma = 0.015 * min(image.shape[:2])
    return gaussian_filter(image.astype(np.float32), (sigma, sigma, 0))


def shuffled(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Another thing made of the same parts: the picture's sixteen tiles in another order."""
    height, width = (length // 4 for length in image.shape[:2])
    out = image.copy()
    for to, of in enumerate(random.permutation(16)):
        (row, column), (r, c) = divmod(to, 4), divmod(int(of), 4)
        out[row * height : (row + 1) * height, column * width : (column + 1) * width] = image[
            r * height : (r + 1) * height, c * width : (c + 1) * width
        ]
    return out


def foreign(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Another thing altogether: a part of one of scikit-learn's two photographs (a temple, a
    flower), with the mean and the contrast of the picture, so that brightness does not give it
    away."""
    from PIL import Image

    photograph = photographs()[random.integers(2)]  # (h, w, 3)
    part = int(random.uniform(0.3, 1) * min(photograph.shape[:2]))  # the side of the part
    top, left = (random.integers(0, length - part + 1) for length in photograph.shape[:2])
    cut = Image.fromarray(photograph[top : top + part, left : left + part])
    other = np.asarray(cut.resize(image.shape[1::-1]), np.float32)  # (H, W, 3)
    if image.shape[2] == 1:
        other = other.mean(axis=2, keepdims=True)
    return image.mean() + (other - other.mean()) * (image.std() / max(other.std(), 1))


@cache
def photographs() -> list[np.ndarray]:
    """uint8 (427, 640, 3) each."""
    from sklearn.datasets import load_sample_images

    return load_sample_images().images


DEFECTS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "scratch": scratch, "blot": blot, "blurred": blur, "pasted piece": cutpasted,
    "shuffled": shuffled, "foreign picture": foreign,
}  # fmt: skip


def drawn(name: str, pixels: np.ndarray, seed: int = 0) -> np.ndarray:
    """uint8 (N, H, W, C): the images with this defect. Each depends on its place and the seed."""
    defect, out = DEFECTS[name], np.empty_like(pixels)
    for i, image in enumerate(pixels):
        random = np.random.default_rng([seed, i])
        out[i] = np.clip(np.round(defect(image, random)), 0, 255)
    return out


def _grid(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.mgrid[: image.shape[0], : image.shape[1]])


def _middle(image: np.ndarray, random: np.random.Generator, border: float) -> list[float]:
    return [random.uniform(border, 1 - border) * length for length in image.shape[:2]]


def _mixed(image: np.ndarray, share: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The image (H, W, C), by CONTRAST brighter or darker where `share` (H, W) is 1."""
    return image + share[..., None] * random.choice([-CONTRAST, CONTRAST])
