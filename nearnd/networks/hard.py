"""Hard augmentations: changes after which a normal image is to count as none (UNODE).

Each takes images (n, C, S, S) in [0, 1] and what stands `Beside` them, draws from torch's global
generator, each image its own, and gives images of that shape and range. Strengths are those of
UNODE's released code, or, where its paper names an augmentation that the code lacks (noise, Sobel,
blur, MixUp of normal images), ours. Its `elastic` is not here: no published setting uses it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nearnd.networks.augment import as_tensor
from nearnd.networks.shifts import permuted, rotated

NOISE = 0.2  # deviation
BLUR = 1 / 32, 1 / 16  # deviation, in shares of the side


class Beside(NamedTuple):
    """What images are mixed with or replaced by."""

    others: Tensor  # (n, C, S, S), for each image another normal one
    outliers: np.ndarray | None = None  # uint8 (M, S, S, C)


def rotation(x: Tensor, beside: Beside) -> Tensor:
    """A quarter turn, a half or three quarters."""
    return _one_of_three(x, rotated)


def permute(x: Tensor, beside: Beside) -> Tensor:
    """Left and right halves swapped, upper and lower ones, or both."""
    return _one_of_three(x, permuted)


def noise(x: Tensor, beside: Beside) -> Tensor:
    """Gaussian noise on every value."""
    return (x + NOISE * torch.randn(x.shape)).clamp(0, 1)


def cutout(x: Tensor, beside: Beside) -> Tensor:
    """A black box, a sixth to a fourth of the image high and wide."""
    sides = _sides(x, (1 / 6, 1 / 4), (1 / 6, 1 / 4))
    return torch.where(_inside(*_grid(x), _corner(x, sides), sides), 0.0, x)


def cutpaste(x: Tensor, beside: Beside) -> Tensor:
    """A part of the image pasted at another place of it, where all of what is pasted is turned
    about the image's centre by any angle: a patch, or, half the time, a thin scar."""
    n, side = len(x), x.shape[-1]
    patch = _sides(x, (0.1, 0.35), (0.1, 0.35))
    scar = _sides(x, (10 / side, 0.4), (3 / side, 0.15))  # at least so many pixels
    sides = torch.where(torch.rand(n, 1) < 0.5, patch, scar)  # (n, 2), height and width
    source, target = _corner(x, sides), _corner(x, sides)  # (n, 2)
    row, column = _turned(side, 2 * torch.pi * torch.rand(n))  # (n, S, S), before the turn
    pasted = _inside(row, column, target, sides)
    row, column = (  # where it was taken from
        (place + (source - target)[:, axis, None, None]).clamp(0, side - 1)
        for axis, place in enumerate((row, column))
    )
    flat = (row * side + column).flatten(1)[:, None].expand(-1, x.shape[1], -1)  # (n, C, S S)
    return torch.where(pasted, x.flatten(2).gather(2, flat).view_as(x), x)


def sobel(x: Tensor, beside: Beside) -> Tensor:
    """The length of the gradient in each channel, the steepest place of an image 1."""
    kernel = x.new_tensor([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    weight = torch.stack([kernel, kernel.T])[:, None]  # (2, 1, 3, 3)
    padded = F.pad(x.flatten(0, 1)[:, None], (1,) * 4, mode="replicate")
    length = F.conv2d(padded, weight).square().sum(1).sqrt().view_as(x)
    return length / length.amax((1, 2, 3), keepdim=True).clamp_min(1e-6)


def blur(x: Tensor, beside: Beside) -> Tensor:
    """By a Gaussian of 1/32 to 1/16 of the side, both ways."""
    n, c, side, _ = x.shape
    deviation = side * (BLUR[0] + (BLUR[1] - BLUR[0]) * torch.rand(n, 1))
    radius = max(1, round(3 * BLUR[1] * side))
    g = (-(torch.arange(-radius, radius + 1) ** 2) / (2 * deviation**2)).exp()  # (n, 2 radius + 1)
    g = (g / g.sum(1, keepdim=True)).repeat_interleave(c, 0)[:, None]  # (n c, 1, 2 radius + 1)
    x = F.pad(x.reshape(1, n * c, side, side), (radius,) * 4, mode="replicate")
    x = F.conv2d(F.conv2d(x, g[..., None], groups=n * c), g[:, :, None], groups=n * c)
    return x.view(n, c, side, side)


def mixup(x: Tensor, beside: Beside) -> Tensor:
    """With another normal image, of which 0.3 to 0.7 is seen."""
    share = _uniform(x, 0.3, 0.7)
    return share * x + (1 - share) * beside.others


def mixup_outliers(x: Tensor, beside: Beside) -> Tensor:
    """The released code's MixUp: 0.02 to 0.1 of the image, the rest an outlier, there one of Tiny
    ImageNet. That is outlier exposure."""
    share = _uniform(x, 0.02, 0.1)
    return share * x + (1 - share) * _drawn(x, beside)


def outliers(x: Tensor, beside: Beside) -> Tensor:
    """An outlier in the image's place, such as a generator's fake."""
    return _drawn(x, beside)


def autoaugment(x: Tensor, beside: Beside) -> Tensor:
    """AutoAugment's policy for ImageNet (torchvision's)."""
    from torchvision.transforms.v2 import AutoAugment

    change = AutoAugment()
    images = [change(image) for image in (255 * x).round().to(torch.uint8)]
    return torch.stack(images).float() / 255


HARD = {  # by name; a new one is a function and its line here
    f.__name__: f
    for f in (rotation, permute, noise, cutout, cutpaste, sobel, blur, mixup, mixup_outliers,
              outliers, autoaugment)
}  # fmt: skip
FROM_OUTLIERS = ("mixup_outliers", "outliers")  # these are taken from the detector's outliers


def hardened(
    x: Tensor, beside: Beside, names: Sequence[str], weights: Sequence[float], most: int | None
) -> Tensor:
    """Images (N, C, S, S), each after some of these augmentations, one after the other.

    How many is drawn from 1 to `most` (None: as many as have a weight), and which, and in which
    order, in proportion to their weights, none twice.
    """
    w = torch.tensor(weights, dtype=torch.float64)
    top = min(most or len(names), int((w > 0).sum()))
    count = torch.randint(1, top + 1, (len(x),))
    gumbel = -(-torch.rand(len(x), len(w), dtype=torch.float64).clamp_min(1e-300).log()).log()
    order = (w.log() + gumbel).argsort(1, descending=True)  # (N, K), drawn without replacement
    x = x.clone()
    for place in range(top):
        for k, name in enumerate(names):
            rows = ((order[:, place] == k) & (count > place)).nonzero()[:, 0]
            if len(rows):
                x[rows] = HARD[name](x[rows], beside._replace(others=beside.others[rows]))
    return x


# ---- parts of them ----


def _uniform(x: Tensor, low: float, high: float) -> Tensor:
    return low + (high - low) * torch.rand(len(x), 1, 1, 1)


def _one_of_three(x: Tensor, change) -> Tensor:
    """The changes 1, 2 or 3 of a family of `shifts`, of each image one."""
    which, out = torch.randint(1, 4, (len(x),)), torch.empty_like(x)
    for k in (1, 2, 3):
        out[which == k] = change(x[which == k], k)
    return out


def _drawn(x: Tensor, beside: Beside) -> Tensor:
    """An outlier for each image."""
    rows = torch.randint(len(beside.outliers), (len(x),)).numpy()
    return as_tensor(beside.outliers[rows])


def _sides(x: Tensor, high: tuple[float, float], wide: tuple[float, float]) -> Tensor:
    """Heights and widths (n, 2) of boxes, whole pixels, drawn between shares of the side."""
    side = x.shape[-1]
    shares = torch.tensor([high, wide], dtype=torch.float64)  # (2, 2)
    drawn = shares[:, 0] + (shares[:, 1] - shares[:, 0]) * torch.rand(len(x), 2)
    return (drawn * side).long().clamp(1, max(1, side - 1))


def _corner(x: Tensor, sides: Tensor) -> Tensor:
    """The first row and column (n, 2) of boxes that lie inside the image, anywhere."""
    return (torch.rand(len(x), 2) * (x.shape[-1] - sides + 1)).long()


def _grid(x: Tensor) -> tuple[Tensor, Tensor]:
    """The row and the column of each pixel, (S, S)."""
    along = torch.arange(x.shape[-1])
    return along[:, None].expand(len(along), -1), along.expand(len(along), -1)


def _turned(side: int, angle: Tensor) -> tuple[Tensor, Tensor]:
    """Which row and column, (n, S, S), is seen at each pixel after a turn by angles (n,), in
    radians; outside the image where nothing is."""
    middle = (side - 1) / 2
    y, x = (torch.arange(side) - middle)[:, None], torch.arange(side) - middle
    sin, cos = angle.sin()[:, None, None], angle.cos()[:, None, None]
    row, column = cos * y - sin * x, sin * y + cos * x  # (n, S, S)
    return (row + middle).round().long(), (column + middle).round().long()


def _inside(row: Tensor, column: Tensor, corner: Tensor, sides: Tensor) -> Tensor:
    """Whether pixels (..., S, S) are in boxes, (n, 1, S, S)."""
    (top, left), (high, wide) = (
        corner[:, :, None, None].unbind(1),
        sides[:, :, None, None].unbind(1),
    )
    inside = (row >= top) & (row < top + high) & (column >= left) & (column < left + wide)
    return inside[:, None]
