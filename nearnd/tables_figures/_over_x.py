"""AUROC against a number that each method has."""

import pandas as pd
from matplotlib.figure import Figure

from nearnd.report.summary import over_seeds
from nearnd.tables_figures._settings import name, settings
from nearnd.tables_figures._style import LINES, beside, legend, maybe_log


def auroc_over(
    data: dict,
    points: pd.DataFrame,  # dataset, method, x
    what: str,  # the label of the axis
    span: float,  # a logarithmic axis where positive numbers span more than this factor
    reference: str | None,  # a method without a number, drawn as horizontal lines
    far: str | None,
    near: str | None,
) -> Figure:
    """One panel per dataset, a line per setting: mean over classes and seeds, bars of one sd over
    seeds."""
    means = over_seeds(settings(data, None, far, near), "dataset", "method", "setting")
    figure, axes = beside(data, points["dataset"], 3.5)
    for dataset, ax in axes.items():
        own = means[means["dataset"] == dataset].merge(points, "left", ["dataset", "method"])
        for setting, style in LINES.items():
            rows = own[own["setting"] == setting]
            line = rows.dropna(subset=["x"]).sort_values("x")
            spread = 100 * line["sd"] if line["sd"].notna().any() else None
            if len(rows):
                ax.errorbar(line["x"], 100 * line["mean"], yerr=spread, **style,
                            capsize=2, elinewidth=1, label=setting)  # fmt: skip
            for value in rows.loc[rows["method"] == reference, "mean"]:
                ax.axhline(100 * value, color=style["color"], linestyle=":", linewidth=1.2,
                           label=f"{name(data, reference)}, {setting}")  # fmt: skip
        maybe_log(ax, "x", points.loc[points["dataset"] == dataset, "x"], span)
        ax.set_xlabel(what)
    next(iter(axes.values())).set_ylabel("AUROC (%)")
    legend(figure, axes.values(), columns=2)
    return figure
