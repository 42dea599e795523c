"""Random changes of small images at their own size, each image with its own; RETH's for CIFAR.

On whole batches (N, C, H, W) in [0, 1], drawn from torch's global generator.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

GREY = (0.299, 0.587, 0.114)  # ITU-R 601


def as_tensor(pixels: np.ndarray) -> Tensor:
    """uint8 (N, H, W, C) to float32 (N, C, H, W) in [0, 1]."""
    return torch.from_numpy(np.array(pixels)).movedim(-1, 1).float() / 255  # (N, C, H, W)


def colour_jitter(x: Tensor, amount: float) -> Tensor:
    """Brightness, contrast and saturation times factors from [1 - amount, 1 + amount], and the hue
    turned by up to `amount` of a circle. Grey images have no colour: only the first two.

    torchvision draws the order of the four too, which changes little for small amounts.
    """
    n, c = x.shape[:2]
    brightness, contrast, saturation = 1 + amount * (2 * torch.rand(3, n, 1, 1, 1) - 1)
    turn = amount * (2 * torch.rand(n) - 1)
    x = (x * brightness).clamp(0, 1)
    mean = _grey(x).mean((2, 3), keepdim=True)  # (N, 1, 1, 1)
    x = (mean + (x - mean) * contrast).clamp(0, 1)
    if c != 3:
        return x
    grey = _grey(x)  # (N, 1, H, W)
    return turned((grey + (x - grey) * saturation).clamp(0, 1), turn)


def turned(x: Tensor, turn: Tensor) -> Tensor:
    """Colours (N, 3, H, W) with each image's hue turned by turn (N,) of a circle: in hexagonal
    coordinates (HSV), whose value and saturation stay."""
    high, low = x.amax(1), x.amin(1)  # (N, H, W)
    chroma = high - low
    r, g, b = x.unbind(1)
    span = chroma.clamp_min(1e-12)
    sector = torch.where(
        high == r, (g - b) / span, torch.where(high == g, 2 + (b - r) / span, 4 + (r - g) / span)
    )
    hue = sector + 6 * turn[:, None, None]  # (N, H, W)
    parts = [(n + hue) % 6 for n in (5, 3, 1)]  # of red, green, blue
    values = [high - chroma * torch.minimum(k, 4 - k).clamp(0, 1) for k in parts]
    return torch.stack(values, 1)  # (N, 3, H, W)


def flipped(x: Tensor) -> Tensor:
    """Every second image mirrored, by chance."""
    return torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x.flip(3), x)


def shifted(x: Tensor, pad: int, mode: str = "constant") -> Tensor:
    """Each image moved by up to `pad` pixels both ways: a random crop after padding, with black or
    as `F.pad` pads in this mode."""
    n, c, h, w = x.shape
    x = F.pad(x, (pad,) * 4, mode)  # (N, C, H + 2 pad, W + 2 pad)
    top, left = torch.randint(2 * pad + 1, (2, n, 1))
    rows, columns = top + torch.arange(h), left + torch.arange(w)  # (N, H), (N, W)
    image, channel = torch.arange(n)[:, None, None, None], torch.arange(c)[:, None, None]
    return x[image, channel, rows[:, None, :, None], columns[:, None, None, :]]  # (N, C, H, W)


def _grey(x: Tensor) -> Tensor:
    if x.shape[1] != 3:
        return x.mean(1, keepdim=True)
    return (x * torch.tensor(GREY)[:, None, None]).sum(1, keepdim=True)  # (N, 1, H, W)
