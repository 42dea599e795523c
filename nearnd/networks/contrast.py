"""DeepSVDD's preprocessing: global contrast normalisation, scaled by a training set's extrema."""

import numpy as np
import torch
from torch import Tensor

from nearnd.networks.augment import as_tensor

BATCH = 1024


def contrast_normalised(x: Tensor, low: float, high: float) -> Tensor:
    """(N, C, H, W) in [0, 1]: each image minus its mean, over its mean absolute deviation, and then
    scaled so that `low` becomes 0 and `high` 1. An image of one grey level is all 0 before that."""
    return (_contrast(x) - low) / max(high - low, 1e-12)


def extrema(pixels: np.ndarray) -> list[float]:
    """The least and the largest value of these images after the contrast normalisation."""
    parts = [_contrast(as_tensor(pixels[i : i + BATCH])) for i in range(0, len(pixels), BATCH)]
    return [float(min(p.min() for p in parts)), float(max(p.max() for p in parts))]


def _contrast(x: Tensor) -> Tensor:
    x = x - x.mean((1, 2, 3), keepdim=True)
    scale = x.abs().mean((1, 2, 3), keepdim=True)  # (N, 1, 1, 1)
    return x / torch.where(scale > 1e-6, scale, 1.0)
