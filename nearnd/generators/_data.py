"""Training images as batches of tensors, and tensors as images."""

import numpy as np
import torch
from torch import Tensor


def square(pixels: np.ndarray) -> tuple[int, int, int]:
    """Number, side and channels of images (N, S, S, C), at least one; else ValueError."""
    n, height, width, channels = pixels.shape
    if n == 0 or height != width:
        raise ValueError(f"the generator needs square images, got uint8 {pixels.shape}")
    return n, height, channels


def to_float(pixels: np.ndarray, device: torch.device, centered: bool) -> Tensor:
    """uint8 (N, H, W, C) -> float32 (N, C, H, W) in [0, 1], or [-1, 1] if `centered`."""
    x = torch.from_numpy(np.ascontiguousarray(pixels)).to(device)
    x = x.permute(0, 3, 1, 2).contiguous().float() / 255  # (N, C, H, W)
    return 2 * x - 1 if centered else x


def to_uint8(x: Tensor, centered: bool) -> np.ndarray:
    """The inverse of `to_float`, clipped and rounded to the nearest grey level."""
    if centered:
        x = (x + 1) / 2
    x = (x.clamp(0, 1) * 255).round().to(torch.uint8)
    return x.permute(0, 2, 3, 1).cpu().numpy()  # (N, H, W, C)


def largest_distance(pixels: np.ndarray, limit: int = 2000) -> float:
    """The largest Euclidean distance between two images in [0, 1] units, on up to `limit` of them.

    Source: the advice for sigma_max of Song and Ermon, "Improved Techniques for Training
    Score-Based Generative Models", technique 1.
    """
    size = int(np.prod(pixels.shape[1:]))
    limit = max(2, min(limit, 2**27 // size))  # at most 0.5 GB
    rows = np.unique(np.linspace(0, len(pixels) - 1, min(limit, len(pixels))).round().astype(int))
    x = torch.from_numpy(np.asarray(pixels[rows])).flatten(1).float() / 255  # (N, D)
    return float(torch.cdist(x, x).max())
