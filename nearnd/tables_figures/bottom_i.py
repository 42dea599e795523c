"""Mean AUROC of the i hardest anomaly classes (FITYMI appendix fig. 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nearnd.contracts import Drawing
from nearnd.report.summary import RUN, bottom_curve, over_seeds
from nearnd.tables_figures._settings import chosen, name, test_sets
from nearnd.tables_figures._style import legend, method_styles, panels, styled

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
            copies = data.get("copies", ())
            own = own[own["test"] == test_sets(own, None, near, copies)[1]]
            curves = bottom_curve(own)
            most = curves.groupby(RUN)["i"].max().min()  # every normal class has so many
            curves = over_seeds(curves[curves["i"] <= most], "method", "i")
            for method, curve in curves.groupby("method", sort=False):
                mean, sd = 100 * curve["mean"], 100 * curve["sd"]
                style = styles[method] | ({"marker": ""} if most > 30 else {})
                ax.plot(curve["i"], mean, label=name(data, method), **style)
                if sd.notna().any():
                    band = {"color": style["color"], "alpha": 0.15, "linewidth": 0}
                    ax.fill_between(curve["i"], mean - sd, mean + sd, **band)
            ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
            ax.set_xlabel("i, number of hardest anomaly classes")
            ax.set_title(name(data, dataset))
        axes.flat[0].set_ylabel("bottom-i AUROC (%)")
        legend(figure, axes.flat[0])
        return figure

    return draw
