"""Images of one kind that a small network learns in seconds, and of another."""

import numpy as np


def stripes(n, seed, angle=0.0, side=8, channels=1):
    """Images with a stripe beside the middle, at an angle (radians) that varies a little."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    turn = angle + rng.normal(0, 0.05, (n, 1, 1))
    away = x * np.cos(turn) + y * np.sin(turn) - rng.normal(0, 0.3, (n, 1, 1)) - 1.5
    image = 40 + 170 * np.exp(-(away**2) / 2) + rng.normal(0, 8, away.shape)
    return np.repeat(image.clip(0, 255).astype(np.uint8)[..., None], channels, 3)
