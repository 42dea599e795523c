"""AUROC against the point at which the generator was stopped (FITYMI appendix fig. 1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from nearnd.contracts import Drawing
from nearnd.report.summary import over_seeds
from nearnd.report.words import distances, word
from nearnd.tables_figures._measures import stops
from nearnd.tables_figures._settings import CLOSEST, FAR, WORST, name, settings
from nearnd.tables_figures._style import COLOURS, legend, maybe_log, panels, styled

MAKES = "figure"
READS = ["metrics", "closeness", "fakes"]

LINES = {  # setting -> colour, marker
    FAR: (COLOURS[0], "o"),
    CLOSEST: (COLOURS[5], "D"),
    WORST: (COLOURS[1], "s"),
}


def build(
    methods: Sequence[str] | None = None,  # variants that differ in the stop; None: all with fakes
    reference: str | None = None,  # a method without fakes, drawn as horizontal lines
    far: str | None = None,
    near: str | None = None,
    measure: str | None = None,  # the distance; None: the first of the table
) -> Drawing:
    """One panel per dataset: x the distance between fakes and normal images at the stop (training
    goes on to the left), y the AUROC: mean over classes and seeds, bars of one sd over seeds."""

    @styled
    def draw(data: dict[str, Any]) -> Figure:
        distance = measure or distances(data["fakes"])[0]
        at = stops(data["fakes"], distance)
        if methods is not None:
            at = at[at["method"].isin(methods)]
        means = {
            setting: over_seeds(rows, "dataset", "method")
            for setting, rows in settings(data, None, far, near).items()
        }
        datasets = list(at["dataset"].unique())
        figure, axes = panels(1, len(datasets), 3.5, width=max(4.6, 3.4 * len(datasets)))
        for dataset, ax in zip(datasets, axes.flat, strict=True):
            for setting, (colour, marker) in LINES.items():
                if setting not in means:
                    continue
                points = means[setting].merge(at, on=["dataset", "method"])
                points = points[points["dataset"] == dataset].sort_values(distance)
                spread = 100 * points["sd"] if points["sd"].notna().any() else None
                ax.errorbar(points[distance], 100 * points["mean"], yerr=spread, color=colour,
                            marker=marker, capsize=2, elinewidth=1, label=setting)  # fmt: skip
                base = means[setting].query("dataset == @dataset and method == @reference")
                for value in base["mean"]:
                    ax.axhline(100 * value, color=colour, linestyle=":", linewidth=1.2,
                               label=f"{name(data, reference)}, {setting}")  # fmt: skip
            maybe_log(ax, "x", at.loc[at["dataset"] == dataset, distance], 5)
            ax.set_xlabel(f"{word(distance)} of the fakes\n(← trained longer · stopped earlier →)")
            ax.set_title(name(data, dataset))
        axes.flat[0].set_ylabel("AUROC (%)")
        legend(figure, axes.flat[0], columns=2)
        return figure

    return draw
