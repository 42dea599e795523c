"""Fidelity of a generator along its training (FITYMI fig. 3, left)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from nearnd.contracts import Drawing
from nearnd.report.words import measures, stated, word
from nearnd.tables_figures._settings import name, several
from nearnd.tables_figures._style import (
    legend,
    maybe_log,
    method_styles,
    panels,
    styled,
)

MAKES = "figure"
READS = ["fidelity"]


def build(show: Sequence[str] | None = None) -> Drawing:  # measures; None: all there are
    """One panel per measure: x the training step, y the measure, a curve per generator: mean over
    classes (and seeds), in a band from the lowest to the highest class."""

    @styled
    def draw(data: dict[str, Any]) -> Figure:
        table = data["fidelity"]
        shown = list(show or measures(table))
        columns = min(2, len(shown))
        figure, axes = panels(-(-len(shown) // columns), columns, 2.4)
        curves = _curves(data, table)
        styles = method_styles(curves)
        for measure, ax in zip(shown, axes.flat, strict=False):
            for label, rows in curves.items():
                rows = rows.dropna(subset=[measure])
                classes = rows.groupby(["normal", "step"])[measure].mean()
                by_step = classes.groupby("step").agg(["mean", "min", "max", "size"])
                line = styles[label] | {"markersize": 3.5}
                ax.plot(by_step.index, by_step["mean"], label=label, **line)
                if (by_step["size"] > 1).any():
                    ax.fill_between(by_step.index, by_step["min"], by_step["max"],
                                    color=line["color"], alpha=0.15, linewidth=0)  # fmt: skip
            ax.set_xlabel("training step")
            unit = stated(measure, "UNIT")
            ax.set_ylabel(word(measure) + (f"\n({unit})" if unit else ""))
            maybe_log(ax, "x", table.loc[table["step"] > 0, "step"], 20)
            if stated(measure, "DISTANCE"):
                maybe_log(ax, "y", table[measure], 10)
            else:
                ax.set_ylim(bottom=0)
        for ax in axes.flat[len(shown) :]:
            ax.set_visible(False)
        legend(figure, axes.flat[0])
        return figure

    return draw


def _curves(data: dict[str, Any], table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Rows of each curve by its label."""
    curves = {}
    for (dataset, generator), rows in table.groupby(["dataset", "generator"], sort=False):
        where = f"{name(data, dataset)}: " if several(table, "dataset") else ""
        curves[where + name(data, generator)] = rows
    return curves
