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
    x = resized(pixels, how.resize, how.bicubic)
    x = x[_random_window(x.shape, how) if random else _centre(x.shape, how.crop)]
    x = _with_channels(x.float(), len(how.mean))  # (N, channels, crop, crop)
    mean, std = (255 * torch.tensor(v)[:, None, None] for v in (how.mean, how.std))
    return (x - mean).div_(std)  # (N, channels, crop, crop)


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


def _centre(shape: torch.Size, crop: int) -> tuple[slice, ...]:
    """The indices that cut the middle out of every image."""
    starts = [round((length - crop) / 2) for length in shape[2:]]
    return slice(None), slice(None), *(slice(start, start + crop) for start in starts)


def _random_window(shape: torch.Size, how: View) -> tuple[Tensor, ...]:
    """The indices that cut a window out of every image; beyond the border the border repeats."""
    n, c, h, w = shape
    sides = []
    for length in (h, w):
        start = torch.randint(length - how.crop + 1, (n, 1))
        start += torch.randint(-how.shift, how.shift + 1, (n, 1))
        sides.append((start + torch.arange(how.crop)).clamp(0, length - 1))  # (N, crop)
    rows, columns = sides
    if how.flip:
        columns = torch.where(torch.rand(n, 1) < 0.5, columns.flip(1), columns)
    image, channel = torch.arange(n)[:, None, None, None], torch.arange(c)[:, None, None]
    return image, channel, rows[:, None, :, None], columns[:, None, None, :]


def _with_channels(x: Tensor, channels: int) -> Tensor:
    """Grey to colour by repetition, colour to grey as luma (ITU-R 601, PIL's mode L)."""
    if x.shape[1] == channels:
        return x
    if x.shape[1] == 1:
        return x.expand(-1, channels, -1, -1)
    if x.shape[1] == 3 and channels == 1:
        return (x * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True)
    raise ValueError(f"images have {x.shape[1]} channels, the backbone takes {channels}")
