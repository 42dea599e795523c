"""Random views of images, as SimCLR and CSI draw them: each a function of the image and of uniform
random numbers, so that a view does not depend on the other images of its batch.

A view takes `NUMBERS` numbers in [0, 1): the columns below. Images (N, C, H, W) are in [0, 1].
The changes of colour are CSI's: factors of hue, saturation and value, and a contrast about each
channel's mean. Windows are of any size and place, where CSI's are of whole pixels; and one that
does not fit is given another shape, where CSI draws anew. Neither smooths a window before it is
shrunk.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from nearnd.networks.augment import GREY, turned

FLIP, JITTER, VALUE, CONTRAST, SATURATION, HUE, ORDER, NO_COLOUR, AREA, SHAPE, X, Y = range(12)
NUMBERS = 12
JITTERED = 0.8  # share of the images whose colours change
SHAPES = 3 / 4, 4 / 3  # width over height of a window
HUES = 255 / 360  # CSI turns the hue by so much of `jitter`, which it takes for degrees of 255


class Views(NamedTuple):
    """How views differ from their image."""

    scale: Sequence[float]  # least and largest share of the image's area that a window has
    jitter: Sequence[float]  # of value (brightness), contrast, saturation, hue
    grey: float  # share of the images that lose their colours
    flip: bool  # half of the images are mirrored


def mirrored(x: Tensor, u: Tensor) -> Tensor:
    """Images (N, C, H, W), every second of them by chance with left and right swapped."""
    return torch.where(u[:, FLIP, None, None, None] < 0.5, x.flip(3), x)


def seen(x: Tensor, u: Tensor, how: Views, side: int) -> Tensor:
    """A window of each image in other colours, (N, C, side, side); u: (N, NUMBERS). It does not
    mirror: what turns an image may stand between."""
    if any(how.jitter):
        x = _coloured(x, u, how.jitter)
    if how.grey and x.shape[1] == 3:
        lost = u[:, NO_COLOUR, None, None, None] < how.grey
        x = torch.where(lost, (x * x.new_tensor(GREY)[:, None, None]).sum(1, keepdim=True), x)
    return cut(x, windows(u, how.scale), side)


def _coloured(x: Tensor, u: Tensor, jitter) -> Tensor:
    """JITTERED of the images with other colours; half of these change their contrast first."""
    on = u[:, JITTER] < JITTERED  # (N,)
    spread = x.new_tensor([*jitter])  # value, contrast, saturation, hue
    change = spread * (2 * u[:, [VALUE, CONTRAST, SATURATION, HUE]] - 1) * on[:, None]  # (N, 4)
    value, contrast, saturation = (1 + change[:, :3]).clamp_min(0).unbind(1)
    first = u[:, ORDER] < 0.5
    x = _contrast(x, torch.where(first, contrast, 1))
    x = _hsv(x, HUES * change[:, 3], saturation, value)
    return _contrast(x, torch.where(first, 1, contrast))


def _contrast(x: Tensor, factor: Tensor) -> Tensor:
    mean = x.mean((2, 3), keepdim=True)  # (N, C, 1, 1)
    return (mean + (x - mean) * factor[:, None, None, None]).clamp(0, 1)


def _hsv(x: Tensor, turn: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """The hue turned by turn (N,) of a circle, saturation and value (the largest channel) times
    factors (N,), at most 1. Grey images have only a value."""
    if x.shape[1] == 3:
        x = turned(x, turn)
        high, low = x.amax(1, keepdim=True), x.amin(1, keepdim=True)  # (N, 1, H, W)
        most = high / (high - low).clamp_min(1e-12)  # that saturation can be multiplied by
        x = high - (high - x) * torch.minimum(saturation[:, None, None, None], most)
    high = x.amax(1, keepdim=True)
    return x * torch.minimum(value[:, None, None, None], 1 / high.clamp_min(1e-12))


def windows(u: Tensor, scale) -> Tensor:
    """Width, height, and the centre's x and y of a window for each row of u: (N, 4), in units in
    which the image goes from -1 to 1; widths and heights are shares of it."""
    area = scale[0] + (scale[1] - scale[0]) * u[:, AREA]  # (N,)
    low, high = (math.log(shape) for shape in SHAPES)
    low, high = area.log().clamp_min(low), (-area.log()).clamp_max(high)  # those that fit
    shape = (low + (high - low) * u[:, SHAPE]).exp()  # width over height
    sides = torch.stack([area * shape, area / shape], 1).sqrt().clamp_max(1)  # (N, 2)
    return torch.cat([sides, (1 - sides) * (2 * u[:, [X, Y]] - 1)], 1)


def cut(x: Tensor, window: Tensor, side: int) -> Tensor:
    """These windows (N, 4) of images (N, C, H, W), each as (C, side, side), by bilinear
    interpolation."""
    width, height, across, down = window.unbind(1)  # (N,)
    zero = torch.zeros_like(width)
    rows = [torch.stack(row, 1) for row in ((width, zero, across), (zero, height, down))]
    size = (len(x), x.shape[1], side, side)
    grid = F.affine_grid(torch.stack(rows, 1), size, align_corners=False)  # (N, side, side, 2)
    return F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)
