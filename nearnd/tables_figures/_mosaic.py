"""Rows of images as one picture."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

GAP = 0.06  # between images, as a share of their size


def rgb(images: np.ndarray) -> np.ndarray:
    """uint8 (n, H, W, 3) from grey or colour images."""
    return np.broadcast_to(images, (*images.shape[:3], 3))


def show_row(ax: Axes, row: int, images: np.ndarray, frame: str | None = None, first: int = 0):
    """Draws images (n, H, W, C) in row `row`, from column `first` on, cells of size 1."""
    from matplotlib.patches import Rectangle

    for i, image in enumerate(rgb(images)):
        x, y = first + i, row
        box = (x, x + 1 - GAP, y + 1 - GAP, y)  # left, right, bottom, top: rows count downwards
        ax.imshow(image, extent=box, interpolation="nearest")
        if frame:
            side = 1 - GAP
            ax.add_patch(Rectangle((x, y), side, side, fill=False, edgecolor=frame, linewidth=1.6))


def bare(ax: Axes, rows: int, columns: int) -> None:
    """Limits around the cells, no ticks, no frame, square cells."""
    ax.set_xlim(-0.03, columns)
    ax.set_ylim(rows, -0.03)
    ax.set_aspect("equal")
    ax.grid(False)
    ax.tick_params(length=0)
    ax.set_xticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)
