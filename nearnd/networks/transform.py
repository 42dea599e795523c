"""From uint8 images to the input of a backbone: resize, crop, shift, flip, normalise.

Whole batches at once, with a crop, shift and flip of its own for each image. On the CPU the
resized image is the one that PIL gives, to one grey level (FITYMI trap C12).
"""

import logging
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

log = logging.getLogger("nearnd")


class View(NamedTuple):
    """How an image is shown to a network."""

    resize: int  # the shorter side after resizing
    crop: int  # the side of the square cut from it
    mean: tuple[float, ...]  # one per channel, for pixels in [0, 1]
    std: tuple[float, ...]
    shift: int = 0  # training: moves each image by up to so many resized pixels
    flip: bool = False  # training: mirrors every second image
    bicubic: bool = False  # how images are resized; else bilinear

    def check(self) -> "View":
        """Itself, or ValueError if the crop does not fit into the resized image."""
        if not 0 < self.crop <= self.resize or self.shift < 0:
            raise ValueError(
                f"resize {self.resize} must be at least crop {self.crop}, which must be positive,"
                f" and shift {self.shift} must not be negative"
            )
        return self


def statistics(pixels: np.ndarray) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel of uint8 (N, H, W, C), of pixels in [0, 1]; the
    latter at least one grey level."""
    counts = np.zeros((pixels.shape[-1], 256))  # how often each grey level comes
    for i in range(0, len(pixels), 1024):
        part = np.asarray(pixels[i : i + 1024]).reshape(-1, len(counts))
        counts += [np.bincount(channel, minlength=256) for channel in part.T]
    share, value = counts / counts.sum(axis=1, keepdims=True), np.arange(256) / 255
    mean = share @ value  # (C,)
    std = np.sqrt((share * (value - mean[:, None]) ** 2).sum(axis=1))  # (C,)
    return mean.tolist(), np.maximum(std, 1 / 255).tolist()


def view(pixels: np.ndarray, how: View, *, random: bool = False) -> Tensor:
    """uint8 (N, H, W, C) to float32 (N, channels, crop, crop), channels as in `how.mean`.

    Centre crop, or with `random` a random crop, shift and flip per image, drawn from torch's
    global generator.
    """
    if not random:
        _tell(min(pixels.shape[1:3]), how.resize, how.crop)
    x = resized(pixels, how.resize, how.bicubic).movedim(1, -1)  # (N, h, w, C)
    x = _random_windows(x, how) if random else _centre(x, how.crop)  # (N, crop, crop, C)
    x = _with_channels(x.float(), len(how.mean)).flatten(2)  # (N, crop, crop * channels)
    # whole rows at once: PyTorch is slow where the last axis is as short as the channels'
    mean, std = (255 * torch.tensor(v).repeat(how.crop) for v in (how.mean, how.std))
    x = (x - mean).div_(std).unflatten(2, (how.crop, -1))  # (N, crop, crop, channels)
    return x.movedim(-1, 1)  # (N, channels, crop, crop), the channels last in memory


@cache  # once a job
def _tell(side: int, resize: int, crop: int) -> None:
    """Warns of what a network cannot see of images with that side."""
    if side >= 2 * resize:
        log.warning(
            f"images of {side} pixels are shrunk to {resize} before the network sees them: a `size`"
            f" of the dataset above {resize} shows it no more; take a backbone with a larger input"
        )
    if crop < min(side, resize):
        log.warning(
            f"the network sees the middle {crop} of {resize} pixels, {(crop / resize) ** 2:.0%} of"
            f" an image; where the border counts, set `resize: {crop}` in the detector's entry"
        )


def resized(pixels: np.ndarray, side: int, bicubic: bool = False) -> Tensor:
    """uint8 (N, H, W, C) to uint8 (N, C, h, w) with min(h, w) = side: antialiased, bilinear or
    bicubic."""
    from torchvision.transforms.v2.functional import InterpolationMode, resize

    x = torch.from_numpy(np.array(pixels)).movedim(-1, 1)  # (N, C, H, W)
    how = InterpolationMode.BICUBIC if bicubic else InterpolationMode.BILINEAR
    return resize(x, [side], how, antialias=True)  # (N, C, h, w)


def _centre(x: Tensor, crop: int) -> Tensor:
    """The middle of every image (N, h, w, C)."""
    top, left = (round((length - crop) / 2) for length in x.shape[1:3])
    return x[:, top : top + crop, left : left + crop]  # (N, crop, crop, C)


def _random_windows(x: Tensor, how: View) -> Tensor:
    """A window of every image (N, h, w, C); beyond the border the border repeats."""
    n, starts = len(x), []
    for axis in (1, 2):
        length = x.shape[axis]
        start = torch.randint(length - how.crop + 1, (n, 1))
        starts.append(start + torch.randint(-how.shift, how.shift + 1, (n, 1)) + how.shift)
        if how.shift:
            inside = torch.arange(-how.shift, length + how.shift).clamp(0, length - 1)
            x = x.index_select(axis, inside)
    mirrored = torch.rand(n, 1) < 0.5 if how.flip else torch.zeros(n, 1, dtype=torch.bool)
    out = x.new_empty(n, how.crop, how.crop, x.shape[3])
    for i, (top, left, turn) in enumerate(torch.cat([*starts, mirrored], 1).tolist()):
        window = x[i, top : top + how.crop, left : left + how.crop]
        out[i] = window.flip(1) if turn else window
    return out  # (N, crop, crop, C)


def _with_channels(x: Tensor, channels: int) -> Tensor:
    """Of (N, h, w, C): grey to colour by repetition, colour to grey as luma (ITU-R 601, PIL's
    mode L)."""
    if x.shape[3] == channels:
        return x
    if x.shape[3] == 1:
        return x.expand(-1, -1, -1, channels)
    if x.shape[3] == 3 and channels == 1:
        return (x * torch.tensor([0.299, 0.587, 0.114])).sum(3, keepdim=True)
    raise ValueError(f"images have {x.shape[3]} channels, the backbone takes {channels}")
