"""Blur: each takes an image (H, W, C) in [0, 1], a strength and a generator."""

import numpy as np


def gaussian_blur(x: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """`sigma` in pixels."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(x, (sigma, sigma, 0))


def defocus_blur(x: np.ndarray, radius: float, rng: np.random.Generator) -> np.ndarray:
    """A disc of `radius` pixels with a soft rim: a lens out of focus."""
    reach = int(np.ceil(radius))
    distance = np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1])
    return _filtered(x, np.clip(radius + 0.5 - distance, 0.0, 1.0))


def glass_blur(x: np.ndarray, strength: tuple, rng: np.random.Generator) -> np.ndarray:
    """(share, reach): that share of pixels shows one at most `reach` pixels away; a slight blur."""
    share, reach = strength
    h, w, _ = x.shape
    step = rng.integers(-reach, reach + 1, (2, h, w)) * (rng.random((h, w)) < share)
    row, column = np.mgrid[:h, :w] + step
    return gaussian_blur(x[row.clip(0, h - 1), column.clip(0, w - 1)], 0.4, rng)


def motion_blur(x: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """A trail that fades over `sigma` pixels, at most 45 degrees from the horizontal."""
    reach = int(np.ceil(3 * sigma))
    angle = rng.uniform(-np.pi / 4, np.pi / 4)
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    for t in np.arange(0.0, reach, 0.25):  # much finer than a pixel
        row, column = t * np.sin(angle), t * np.cos(angle)
        at = reach + round(row), reach + round(column)
        kernel[at] += np.exp(-0.5 * (t / sigma) ** 2)
    return _filtered(x, kernel)


def zoom_blur(x: np.ndarray, most: float, rng: np.random.Generator) -> np.ndarray:
    """The mean of the image and of itself zoomed in, up to `most` times."""
    from scipy.ndimage import affine_transform

    centre = (np.array(x.shape[:2]) - 1) / 2
    total = x.copy()
    zooms = np.arange(1.01, most + 0.005, 0.01)
    for zoom in zooms:
        matrix = np.array([1 / zoom, 1 / zoom, 1.0])
        offset = np.append(centre - centre / zoom, 0.0)
        total += affine_transform(x, matrix, offset, order=1, mode="nearest")
    return total / (len(zooms) + 1)


def _filtered(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    from scipy.ndimage import convolve

    return convolve(x, (kernel / kernel.sum())[..., None], mode="nearest")
