"""One look for all figures. Nothing here touches pyplot or global settings."""

from collections.abc import Callable, Iterable
from typing import Any

import matplotlib.style as mpl_style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from nearnd.contracts import configured
from nearnd.tables_figures._settings import CLOSEST, WORST, name
from nearnd.tables_figures._settings import FAR as ONE_VS_REST

WIDTH = 6.9  # inches, the text width of a page
# Okabe & Ito (2008), told apart with any colour vision; without its yellow, too light for lines
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000"]
MARKERS = "osD^vPX*<>hp"
DASHES = ["-", "--", ":"]
NORMAL, NEAR, FAR, FAKE = "#0072B2", "#D55E00", "#8C8C8C", "#009E73"
LINES = {  # of a setting
    ONE_VS_REST: {"color": COLOURS[0], "marker": "o"},
    CLOSEST: {"color": COLOURS[5], "marker": "D"},
    WORST: {"color": COLOURS[1], "marker": "s"},
}
STYLE = {
    "font.family": "DejaVu Sans",  # matplotlib ships it, so every machine draws the same
    "font.size": 8.5,
    "text.parse_math": False,  # a class may be called $5; our own words need no mathematics
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


def styled(function: Callable) -> Callable:
    """`configured`, and drawn in this style, whatever the reader's own matplotlib settings."""
    return configured(mpl_style.context(["default", STYLE])(function))


def panels(
    n: int, columns: int, height: float, extra: float = 0.0, width: float = WIDTH, **options: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of n panels in lines of `columns`, each line `height` inches high, with `extra`
    inches for all of them; and its axes. What is left of the last line stays empty."""
    lines = -(-n // columns)
    figure = Figure(figsize=(width, lines * height + extra), layout="constrained")
    axes = list(figure.subplots(lines, columns, squeeze=False, **options).flat)
    for ax in axes[n:]:
        ax.set_visible(False)
    return figure, axes[:n]


def beside(
    data: dict, datasets: Iterable[str], height: float, least: float = 4.6, **options: Any
) -> tuple[Figure, dict[str, Axes]]:
    """A figure with a panel for each dataset, named by it, `least` inches wide at the least; and
    {dataset: its axes}."""
    datasets = list(dict.fromkeys(datasets))
    options = {"width": max(least, 3.4 * len(datasets))} | options
    figure, axes = panels(len(datasets), len(datasets), height, **options)
    for dataset, ax in zip(datasets, axes, strict=True):
        ax.set_title(name(data, dataset))
    return figure, dict(zip(datasets, axes, strict=True))


def shade(ax: Axes, x: pd.Series, low: pd.Series, high: pd.Series, colour: str) -> None:
    """A band around a curve."""
    ax.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)


def method_styles(methods: Iterable[str]) -> dict[str, dict]:
    """Colour, marker and dashes of each method, by its place in the experiment: the same method
    looks the same in every figure, and 21 are told apart."""
    return {
        method: {
            "color": COLOURS[i % len(COLOURS)],
            "marker": MARKERS[i % len(MARKERS)],
            "linestyle": DASHES[i // len(COLOURS) % len(DASHES)],
        }
        for i, method in enumerate(dict.fromkeys(methods))
    }


def legend(figure: Figure, axes: Iterable[Axes], where: str = "lower", columns: int = 4) -> None:
    """The legend of panels below ("lower") or above ("upper") the figure, off the data: what has
    the same label looks the same in all of them."""
    found: dict = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    longest = max(map(len, found), default=1)
    fits = max(1, int(figure.get_figwidth() * 17 // (longest + 7)))  # about 17 letters an inch
    ncols = min(columns, fits, len(found) or 1)
    figure.legend(found.values(), found.keys(), loc=f"outside {where} center", ncols=ncols)


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
