"""Geometry: each takes an image (H, W, C) in [0, 1], a strength and a generator.

What comes into view at the border repeats the border.
"""

import numpy as np


def elastic_transform(x: np.ndarray, rms: float, rng: np.random.Generator) -> np.ndarray:
    """Every pixel moves along a smooth random field, `rms` pixels on average along each axis."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    h, w, c = x.shape
    field = np.stack([gaussian_filter(rng.normal(size=(h, w)), 3.0) for _ in range(2)])
    field *= rms / np.sqrt((field**2).mean((1, 2), keepdims=True))  # (2, H, W)
    at = np.mgrid[:h, :w] + field
    planes = [map_coordinates(x[..., i], at, order=1, mode="nearest") for i in range(c)]
    return np.stack(planes, -1)


def rotate(x: np.ndarray, degrees: float, rng: np.random.Generator) -> np.ndarray:
    """About the centre, to either side."""
    angle = np.radians(degrees) * rng.choice([-1, 1])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return _mapped(x, turn)


def scale(x: np.ndarray, factor: float, rng: np.random.Generator) -> np.ndarray:
    """The content shrinks to `factor` of its size, about the centre."""
    return _mapped(x, np.eye(2) / factor)


def shear(x: np.ndarray, slope: float, rng: np.random.Generator) -> np.ndarray:
    """Rows move sideways by `slope` pixels for each row from the middle, to either side."""
    return _mapped(x, np.array([[1.0, 0.0], [slope * rng.choice([-1, 1]), 1.0]]))


def translate(x: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """By `share` of the side length along both axes, each to either side."""
    return _mapped(x, np.eye(2), share * np.array(x.shape[:2]) * rng.choice([-1, 1], 2))


def _mapped(x: np.ndarray, matrix: np.ndarray, shift: np.ndarray | float = 0.0) -> np.ndarray:
    """The pixel at p shows what was at matrix (p - centre) + centre + shift."""
    from scipy.ndimage import affine_transform

    centre = (np.array(x.shape[:2]) - 1) / 2
    offset = centre - matrix @ centre + shift
    planes = [
        affine_transform(x[..., i], matrix, offset, order=1, mode="nearest")
        for i in range(x.shape[-1])
    ]
    return np.stack(planes, -1)
