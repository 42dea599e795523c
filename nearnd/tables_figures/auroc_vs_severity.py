"""AUROC against the severity of each corruption."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from nearnd.contracts import Drawing
from nearnd.report.summary import one_vs_rest, over_seeds
from nearnd.tables_figures._settings import name
from nearnd.tables_figures._slices import rows_of
from nearnd.tables_figures._style import legend, method_styles, panels, styled

MAKES = "figure"
READS = ["metrics", "slices"]

CLEAN = 0  # where the clean test images stand on the axis of severities
ACROSS = 5  # panels in a row


def build(methods: Sequence[str] | None = None, test: str | None = None) -> Drawing:
    """The mean over corruptions first, then a panel for each corruption: x the severity, with the
    clean test images at the left, y the AUROC, a line per method: mean over normal classes and
    seeds, in a band of one sd over seeds. One corrupted test set: `test`, or the first."""

    @styled
    def draw(data: dict[str, Any]) -> Figure:
        slices = rows_of(data, methods, test)
        slices = slices[slices["test"] == (test or slices["test"].iloc[0])]
        clean = one_vs_rest(data["metrics"])
        clean = clean[(clean["test"] == "test") & clean["method"].isin(slices["method"])]
        parts = {"mean": slices}
        if slices["corruption"].nunique() > 1:
            parts |= {str(c): rows for c, rows in slices.groupby("corruption", sort=False)}
        else:
            parts = {str(slices["corruption"].iloc[0]): slices}

        columns = min(len(parts), ACROSS)
        lines = -(-len(parts) // columns)
        width = max(4.6, 1.38 * columns)
        figure, axes = panels(lines, columns, 1.5 + 1.2 / lines, width=width, sharey=True)
        styles = method_styles(data["metrics"]["method"])
        for (title, rows), ax in zip(parts.items(), axes.flat, strict=False):
            points = pd.concat([clean.assign(severity=CLEAN), rows])
            _lines(ax, data, over_seeds(points, "method", "severity"), styles)
            severities = sorted(set(points["severity"]))
            ax.set_xticks(severities, ["0" if s == CLEAN else f"{s}" for s in severities])
            ax.set_title(title.replace("_", " "), fontsize=8)
        for ax in axes.flat[len(parts) :]:
            ax.set_visible(False)
        figure.supxlabel("severity (0: clean test images)", fontsize=8.5)
        figure.supylabel("AUROC (%)", fontsize=8.5)
        legend(figure, axes.flat[0], "upper")
        return figure

    return draw


def _lines(ax, data: dict[str, Any], means: pd.DataFrame, styles: dict) -> None:
    for method, curve in means.groupby("method", sort=False):
        curve = curve.sort_values("severity")
        x, mean, sd = curve["severity"], 100 * curve["mean"], 100 * curve["sd"]
        ax.plot(x, mean, label=name(data, method), markersize=3, **styles[method])
        if sd.notna().any():
            band = {"color": styles[method]["color"], "alpha": 0.15, "linewidth": 0}
            ax.fill_between(x, mean - sd, mean + sd, **band)
