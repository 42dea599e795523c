"""Mirror images, translations and quarter turns of square images, as tables of pixels.

None of them interpolates: at each place one pixel of the image is shown. So a transformation is a
row of pixel numbers, and a batch in which each image has its own is one look-up.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Change(NamedTuple):
    """In this order; as it is, nothing changes."""

    mirrored: bool = False  # left and right swapped
    down: int = 0  # pixels by which what is seen moves
    right: int = 0
    turns: int = 0  # by 90 degrees, counter-clockwise


def changed(x: Tensor, change: Change, repeat: bool) -> Tensor:
    """Images (..., S, S) after a change. What comes in from outside is the image reflected: at its
    edge if `repeat`, so that the border's pixels come twice (SciPy's "reflect"), else at the middle
    of these pixels (OpenCV's reflect-101)."""
    x = x.flip(-1) if change.mirrored else x
    rows, columns = (_origin(x.shape[-1], by, repeat) for by in (change.down, change.right))
    return torch.rot90(x[..., rows[:, None], columns], change.turns, (-2, -1))  # (..., S, S)


def _origin(side: int, by: int, repeat: bool) -> Tensor:
    """Which of `side` pixels stands at each place after a move `by` so many, (S,)."""
    period = 2 * side if repeat else max(1, 2 * side - 2)
    i = (torch.arange(side) - by) % period
    return torch.minimum(i, (period - 1 if repeat else period) - i)


def table(changes: Sequence[Change], side: int, repeat: bool) -> Tensor:
    """int64 (T, S * S): which pixel is seen at each place after each of T changes."""
    numbers = torch.arange(side**2).view(side, side)
    return torch.stack([changed(numbers, change, repeat).flatten() for change in changes])


def seen(x: Tensor, pixels: Tensor) -> Tensor:
    """Images (N, C, S, S), each after M changes: (N, M, C, S, S). `pixels` are rows of a `table`,
    (N, M, S * S)."""
    flat = x.flatten(2)[:, None].expand(-1, pixels.shape[1], -1, -1)  # (N, M, C, S * S)
    where = pixels[:, :, None].expand(-1, -1, x.shape[1], -1)
    return flat.gather(3, where).unflatten(3, x.shape[2:])
