"""One look for all figures. Nothing here touches pyplot or global settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

WIDTH = 6.9  # inches, the text width of a page
# Okabe & Ito (2008), told apart with any colour vision; without its yellow, too light for lines
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000"]
MARKERS = "osD^vPX*<>hp"
DASHES = ["-", "--", ":"]
NORMAL, NEAR, FAR, FAKE = "#0072B2", "#D55E00", "#8C8C8C", "#009E73"
STYLE = {
    "font.family": "DejaVu Sans",  # matplotlib ships it, so every machine draws the same
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.labelsize": 8.5,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "figure.dpi": 150,
}


def styled(draw: Callable[[dict[str, Any]], Figure]) -> Callable[[dict[str, Any]], Figure]:
    """The drawing made in this style, whatever the reader's own matplotlib settings."""

    @wraps(draw)
    def inside(data: dict[str, Any]) -> Figure:
        with mpl.rc_context({**mpl.rcParamsDefault, **STYLE, "backend": mpl.rcParams["backend"]}):
            return draw(data)

    return inside


def panels(rows: int, columns: int, height: float, width: float = WIDTH, **options: Any):
    """A figure of equal panels `height` inches high, and its axes (rows, columns)."""
    figure = Figure(figsize=(width, rows * height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def method_styles(methods: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Colour, marker and dashes of each method, by its place in the experiment: the same method
    looks the same in every figure, and 21 are told apart."""
    return {
        method: {
            "color": COLOURS[i % len(COLOURS)],
            "marker": MARKERS[i % len(MARKERS)],
            "linestyle": DASHES[i // len(COLOURS) % len(DASHES)],
        }
        for i, method in enumerate(pd.unique(np.asarray(list(methods), dtype=object)))
    }


def legend(figure: Figure, axes: Axes, where: str = "lower", columns: int = 4) -> None:
    """The legend of one panel below ("lower") or above ("upper") the figure, off the data."""
    handles, labels = axes.get_legend_handles_labels()
    longest = max((len(label) for label in labels), default=1)
    fits = max(1, int(figure.get_figwidth() * 17 // (longest + 7)))  # about 17 letters an inch
    ncols = min(columns, fits, len(labels) or 1)
    figure.legend(handles, labels, loc=f"outside {where} center", ncols=ncols)


def maybe_log(ax: Axes, which: str, values: np.ndarray, span: float) -> None:
    """A log scale on axis "x" or "y" if the values are positive and span more than a factor
    of `span`, with plain numbers at the ticks."""
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    set_scale = getattr(ax, f"set_{which}scale")
    axis = getattr(ax, f"{which}axis")
    if len(values) and values.min() > 0 and values.max() > span * values.min():
        set_scale("log")
        decades = np.log10(values.max() / values.min())
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 2 else (1,)))
        axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        axis.set_minor_formatter(NullFormatter())
