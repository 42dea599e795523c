"""Rows of images as one picture."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

GAP = 0.06  # between images, as a share of their size
MIDDLE = 0.5 - GAP / 2  # of a cell's image


def show_row(ax: Axes, row: int, images: np.ndarray, first: float = 0, frame: str | None = None):
    """Draws images (n, H, W, C) in row `row`, from column `first` on, cells of size 1."""
    side = 1 - GAP
    for i, image in enumerate(np.broadcast_to(images, (*images.shape[:3], 3))):
        x = first + i
        box = (x, x + side, row + side, row)  # left, right, bottom, top: rows count downwards
        ax.imshow(image, extent=box, interpolation="nearest")
        if frame:
            ax.add_patch(
                Rectangle((x, row), side, side, fill=False, edgecolor=frame, linewidth=1.6)
            )


def bare(ax: Axes, words: list[str], columns: float, rows: int | None = None) -> None:
    """Limits around the cells, no frame, square cells, no ticks but a word beside each row."""
    ax.set_xlim(-0.03, columns)
    ax.set_ylim(rows or len(words), -0.03)
    ax.set_aspect("equal")
    ax.set_anchor("W")  # where it is narrower than its place, so that its words have their room
    ax.grid(False)
    ax.tick_params(length=0)
    ax.set_xticks([])
    ax.set_yticks([row + MIDDLE for row in range(len(words))], words)
    for spine in ax.spines.values():
        spine.set_visible(False)
