"""Random views of an image for contrastive training (MoCo v2's, which MSAD takes)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor


def augmentation(
    side: int, scale: Sequence[float], jitter: Sequence[float], grey: float,
    blur: Sequence[float] | None, flip: bool,
) -> Callable[[Tensor], Tensor]:  # fmt: skip
    """A function from uint8 (C, H, W) to a random view uint8 (C, side, side).

    A window of a share `scale` of the image, resized; with probability 0.8 a colour jitter by
    `jitter` (brightness, contrast, saturation, hue); `grey`: the probability of no colours; with
    probability 0.5 a blur, its sigma from the range `blur` in pixels of the view; a mirror image
    half of the time if `flip`. Drawn from torch's global generator.
    """
    from torchvision.transforms import v2

    steps: list = [v2.RandomResizedCrop(side, scale=tuple(scale), antialias=True)]
    if any(jitter):
        steps.append(v2.RandomApply([v2.ColorJitter(*jitter)], p=0.8))
    if grey:
        steps.append(v2.RandomGrayscale(grey))
    if blur:
        reach = min(math.ceil(3 * blur[1]), side - 1)  # pixels beyond the border are mirrored
        steps.append(v2.RandomApply([v2.GaussianBlur(2 * reach + 1, tuple(blur))], p=0.5))
    if flip:
        steps.append(v2.RandomHorizontalFlip())
    return v2.Compose(steps)


def views(pixels: np.ndarray, augment: Callable[[Tensor], Tensor]) -> np.ndarray:
    """A random view of each image, drawn for each: uint8 (N, H, W, C) to (N, side, side, C)."""
    x = torch.from_numpy(np.array(pixels)).movedim(-1, 1)  # (N, C, H, W)
    return torch.stack([augment(image) for image in x]).movedim(1, -1).numpy()  # (N, s, s, C)
