"""AUROC over two numbers in which methods differ, as a picture with numbers (NLN fig. 5)."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from nearnd.report.summary import one_vs_rest, over_seeds
from nearnd.tables_figures._style import beside, styled

MAKES = "figure"
READS = ["metrics"]


@styled
def build(
    data,
    /,
    # {method: its two numbers, across and down}; None: the methods of the experiment beside
    values: Mapping[str, Sequence[float]] | None = None,
    across: str = "setting",  # the labels of the axes
    down: str = "",
    test: str | None = None,  # test set; None: the first of the experiment
):
    """A panel for each dataset: the mean AUROC over classes and seeds, in percent, at its two
    numbers. What no method has is left white."""
    rows = one_vs_rest(data["metrics"])
    rows = rows[rows["test"] == (test or rows["test"].iloc[0])]
    there = list(dict.fromkeys(rows["method"]))
    values = values or {method: (i + 1, 1) for i, method in enumerate(there)}
    if unknown := [method for method in values if method not in there]:
        raise ValueError(f"methods {unknown} are not in this experiment; it has {there}")
    at = pd.DataFrame([(m, *pair) for m, pair in values.items()], columns=["method", "x", "y"])
    means = over_seeds(rows, "dataset", "method").merge(at, on="method")
    across_most, down_most = means["x"].nunique(), means["y"].nunique()
    height, least = 1.0 + 0.32 * down_most, 1.5 + 0.45 * across_most
    figure, axes = beside(data, means["dataset"], height, least=least)
    low, high = 100 * means["mean"].min(), 100 * means["mean"].max()
    for dataset, ax in axes.items():
        own = means[means["dataset"] == dataset]
        xs, ys = sorted(set(own["x"])), sorted(set(own["y"]))
        grid = own.pivot(index="y", columns="x", values="mean").reindex(index=ys, columns=xs)
        grid = 100 * grid.to_numpy()  # (len(ys), len(xs))
        ax.imshow(grid, cmap="viridis", vmin=low, vmax=high, aspect="auto")
        for (row, column), value in np.ndenumerate(grid):
            if np.isfinite(value):
                dark = value < (low + high) / 2
                ax.text(column, row, f"{value:.1f}", ha="center", va="center", fontsize=7.5,
                        color="white" if dark else "black")  # fmt: skip
        ax.set_xticks(range(len(xs)), [f"{x:g}" for x in xs])
        ax.set_yticks(range(len(ys)), [f"{y:g}" for y in ys])
        ax.set_xlabel(across)
        ax.grid(visible=False)
    figure.axes[0].set_ylabel(down or " ")
    return figure
