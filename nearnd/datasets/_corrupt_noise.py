"""Noise: each takes an image (H, W, C) in [0, 1], a strength and a generator."""

import numpy as np


def gaussian_noise(x: np.ndarray, sd: float, rng: np.random.Generator) -> np.ndarray:
    """Added to every value, with standard deviation `sd`."""
    return x + rng.normal(0.0, sd, x.shape)


def shot_noise(x: np.ndarray, photons: float, rng: np.random.Generator) -> np.ndarray:
    """Poisson counts, `photons` of them for white."""
    return rng.poisson(x * photons) / photons


def impulse_noise(x: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """`share` of all values become 0 or 1, with equal chance."""
    draw = rng.random(x.shape)
    return np.where(draw < share / 2, 0.0, np.where(draw < share, 1.0, x))


def speckle_noise(x: np.ndarray, sd: float, rng: np.random.Generator) -> np.ndarray:
    """Every value is multiplied by 1 + noise of standard deviation `sd`."""
    return x * (1.0 + rng.normal(0.0, sd, x.shape))
