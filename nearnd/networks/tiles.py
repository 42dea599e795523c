"""Pictures larger than what a network takes, in pieces that overlap, and the pieces' maps as one.

A cell of a map that several pieces have is their mean, weighted by how far inside of each it lies:
at the border of a piece a network sees zeros in place of what goes on there, and a hard edge
between two pieces would be seen in the map.
"""

import numpy as np
import torch
from torch import Tensor

OVERLAP = 4  # pieces share one part in so many of their side, or a cell of the map less
MOST = 64  # pieces in a row


def starts(side: int, tile: int, cell: int) -> list[int]:
    """Where the pieces of a side begin, in pixels, on the grid of a map with cells so wide.

    ValueError, with the sides that can be, where it does not divide the picture or the piece.
    """
    if not 0 < tile <= side:
        raise ValueError(
            f"tile is {tile}, but pictures have {side} pixels, of which it has to be a part: set"
            " `tile` in the detector's entry, or a larger `size` in the dataset's"
        )
    if side % cell or tile % cell:
        sides, parts = (
            " or ".join(str(cell * n) for n in sorted({x // cell, -(-x // cell)} - {0}))
            for x in (side, tile)
        )
        raise ValueError(
            f"pictures of {side} pixels cannot be cut into tiles of {tile}, since a cell of the"
            f" network's map has {cell}: `size` in the dataset's entry may be {sides}, `tile` in"
            f" the detector's {parts}"
        )
    if side == tile:
        return [0]
    n = -(-(side - tile // OVERLAP) // (tile - tile // OVERLAP))
    if n > MOST:
        raise ValueError(f"a side of {side} pixels has {n} tiles of {tile}; at most {MOST} may be")
    return [round(i * (side - tile) / (n - 1) / cell) * cell for i in range(n)]


def count(side: int, tile: int | None) -> int:
    """About how many pieces a picture has."""
    return 1 if tile is None else len(starts(max(side, tile), tile, 1)) ** 2


def cut(x: Tensor, at: list[int], tile: int) -> Tensor:
    """Pictures (n, C, S, S) in pieces (n k k, C, tile, tile), row by row."""
    pieces = [x[:, :, i : i + tile, j : j + tile] for i in at for j in at]
    return torch.stack(pieces, 1).flatten(0, 1)


def joined(maps: Tensor, at: list[int], tile: int, side: int) -> Tensor:
    """The pieces' maps (n k k, C, h, h) as maps of the pictures (n, C, H, H), H = h S / tile."""
    k, h = len(at), maps.shape[-1]
    blend = torch.from_numpy(weights(at, tile, side, h)).to(maps)  # (H, k h)
    x = maps.unflatten(0, (-1, k, k)).permute(0, 3, 1, 4, 2, 5)  # (n, C, k, h, k, h)
    x = x.flatten(4) @ blend.T  # (n, C, k, h, H)
    return blend @ x.flatten(2, 3)  # (n, C, H, H)


def weights(at: list[int], tile: int, side: int, h: int) -> np.ndarray:
    """How much each cell of the pieces in a row is of each cell of the whole, float32 (H, k h);
    rows sum to 1."""
    ramp = max(1, h // OVERLAP)
    inside = np.arange(h) + 0.5
    own = np.minimum(inside, h - inside).clip(max=ramp)  # (h,)
    blend = np.zeros((side * h // tile, len(at), h), np.float32)
    for j, start in enumerate(at):
        first = start * h // tile
        blend[np.arange(first, first + h), j, np.arange(h)] = own
    blend = blend.reshape(len(blend), -1)  # (H, k h)
    return blend / blend.sum(1, keepdims=True)
