"""What is in a dataset: some images of each class of its splits, with the masks that it has."""

from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nearnd.tables_figures._mosaic import GAP, bare, show_row
from nearnd.tables_figures._settings import name
from nearnd.tables_figures._style import NEAR, WIDTH, styled

MAKES = "figure"
READS = ["images"]
WORDS, TITLE = 1.3, 0.25  # inches on the left of a panel and above it
LETTERS = 18  # of a class's name on a line


@styled
def build(data, /, columns: int = 6, classes: int = 40):
    """A panel for each image set: a row for each of its first `classes` classes, `columns` images
    each; anomalous regions are outlined."""
    sets, across = data["images"], WIDTH / 2 - WORDS - 0.05
    rows = [min(classes, len(shown["classes"])) for shown in sets]
    lines = [max(rows[i : i + 2]) for i in range(0, len(sets), 2)]  # two panels beside
    tall = [across * n / columns for n in lines]  # inches
    total = sum(tall) + TITLE * len(lines)
    figure = Figure(figsize=(WIDTH, total))
    for i, shown in enumerate(sets):
        line, side = divmod(i, 2)
        left, top = side * WIDTH / 2 + WORDS, sum(tall[:line]) + TITLE * (line + 1)
        height = across * rows[i] / columns
        box = (left / WIDTH, 1 - (top + height) / total, across / WIDTH, height / total)
        ax = figure.add_axes(box)
        _panel(ax, data, shown, columns, classes)
    return figure


def _panel(ax: Axes, data: dict, shown: dict, columns: int, most: int) -> None:
    chosen = list(shown["classes"].items())[:most]
    for i, (_, some) in enumerate(chosen):
        show_row(ax, i, some["pixels"][:columns])
        if some["masks"] is not None:
            _outline(ax, i, some["masks"][:columns])
    words = [
        fill(f"{name(data, label)} ({some['n']})", LETTERS, break_on_hyphens=False)
        for label, some in chosen
    ]
    bare(ax, words, columns)
    total = sum(some["n"] for some in shown["classes"].values())
    more = len(shown["classes"]) - len(chosen)
    other = {"train": "training images", "test": "test images"}.get(shown["images"])
    title = f"{name(data, shown['dataset'])}: {other or shown['images']} ({total})"
    ax.set_title(title + (f", {more} more classes" if more else ""), pad=3)


def _outline(ax: Axes, row: int, masks: np.ndarray) -> None:
    """The borders of what is marked in masks (n, H, W), over the images of `row`."""
    for column, mask in enumerate(masks):
        if mask.any():
            height, width = mask.shape
            x = column + (np.arange(width + 2) - 0.5) / width * (1 - GAP)  # pixels' centres
            y = row + (np.arange(height + 2) - 0.5) / height * (1 - GAP)
            ax.contour(x, y, np.pad(mask, 1), [0.5], colors=NEAR, linewidths=0.8)
