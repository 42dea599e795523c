"""Mean AUROC of the i hardest anomaly classes (FITYMI appendix fig. 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nearnd.contracts import Drawing
from nearnd.summary import bottom, over_seeds, per_anomaly
from nearnd.tables_figures._settings import chosen, name, test_sets
from nearnd.tables_figures._style import legend_below, method_styles, panels, styled

MAKES = "figure"
READS = ["metrics"]


def build(methods: Sequence[str] | None = None, near: str | None = None) -> Drawing:
    """One panel per dataset: x is i, y the bottom-i AUROC, a curve per method: mean over normal
    classes and seeds, in a band of one sd over seeds."""

    @styled
    def draw(data: dict[str, Any]) -> Figure:
        metrics = chosen(data, methods)
        styles = method_styles(data["metrics"]["method"])
        datasets = list(metrics["dataset"].unique())
        figure, axes = panels(1, len(datasets), 3.2, width=max(4.6, 3.4 * len(datasets)))
        for dataset, ax in zip(datasets, axes.flat, strict=True):
            own = metrics[metrics["dataset"] == dataset]
            own = own[own["test"] == test_sets(own, None, near)[1]]
            most = int(per_anomaly(own).groupby(["normal", "method", "seed"]).size().min())
            for method, rows in own.groupby("method", sort=False):
                curve = [over_seeds(bottom(rows, i), "method").iloc[0] for i in range(1, most + 1)]
                x = range(1, most + 1)
                mean = [100 * point["mean"] for point in curve]
                style = styles[method] | ({"marker": ""} if most > 30 else {})
                ax.plot(x, mean, label=name(data, method), **style)
                if curve[0]["runs"] > 1:
                    sd = [100 * point["sd"] for point in curve]
                    ax.fill_between(x, [m - s for m, s in zip(mean, sd, strict=True)],
                                    [m + s for m, s in zip(mean, sd, strict=True)],
                                    color=style["color"], alpha=0.15, linewidth=0)  # fmt: skip
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
            ax.set_xlabel("i, number of hardest anomaly classes")
            ax.set_title(name(data, dataset))
        axes.flat[0].set_ylabel("bottom-i AUROC (%)")
        legend_below(figure, axes.flat[0])
        return figure

    return draw
