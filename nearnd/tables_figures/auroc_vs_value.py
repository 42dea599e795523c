"""AUROC against a number in which methods differ, such as the size of an exposure set."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from nearnd.contracts import Drawing
from nearnd.report.summary import over_seeds
from nearnd.tables_figures._settings import CLOSEST, FAR, WORST, name, settings
from nearnd.tables_figures._style import COLOURS, legend, maybe_log, panels, styled

MAKES = "figure"
READS = ["metrics", "closeness"]

LINES = {FAR: (COLOURS[0], "o"), CLOSEST: (COLOURS[5], "D"), WORST: (COLOURS[1], "s")}


def build(
    values: dict[str, float] | None = None,  # {method: its number}; None: 1, 2, 3, ...
    what: str = "setting",  # the label of the axis
    reference: str | None = None,  # a method without the number, drawn as horizontal lines
    far: str | None = None,
    near: str | None = None,
) -> Drawing:
    """One panel per dataset: x the number, y the AUROC: mean over classes and seeds, bars of one sd
    over seeds. A logarithmic axis where the numbers are positive and span more than a decade."""

    @styled
    def draw(data: dict[str, Any]) -> Figure:
        there = list(dict.fromkeys(data["metrics"]["method"]))
        numbers = values or {m: i + 1 for i, m in enumerate(m for m in there if m != reference)}
        if unknown := [m for m in [*numbers, reference] if m is not None and m not in there]:
            raise ValueError(f"methods {unknown} are not in this experiment; it has {there}")
        means = {
            setting: over_seeds(rows, "dataset", "method")
            for setting, rows in settings(data, None, far, near).items()
        }
        datasets = list(data["metrics"]["dataset"].unique())
        figure, axes = panels(1, len(datasets), 3.5, width=max(4.6, 3.4 * len(datasets)))
        for dataset, ax in zip(datasets, axes.flat, strict=True):
            for setting, (colour, marker) in LINES.items():
                if setting not in means:
                    continue
                mine = means[setting][means[setting]["dataset"] == dataset]
                points = mine.assign(x=mine["method"].map(numbers)).dropna(subset=["x"])
                points = points.sort_values("x")
                spread = 100 * points["sd"] if points["sd"].notna().any() else None
                ax.errorbar(points["x"], 100 * points["mean"], yerr=spread, color=colour,
                            marker=marker, capsize=2, elinewidth=1, label=setting)  # fmt: skip
                for value in mine.loc[mine["method"] == reference, "mean"]:
                    ax.axhline(100 * value, color=colour, linestyle=":", linewidth=1.2,
                               label=f"{name(data, reference)}, {setting}")  # fmt: skip
            maybe_log(ax, "x", list(numbers.values()), 10)
            ax.set_xlabel(what)
            ax.set_title(name(data, dataset))
        axes.flat[0].set_ylabel("AUROC (%)")
        legend(figure, axes.flat[0], columns=2)
        return figure

    return draw
