"""AUROC of every method on every test set, as points in rows."""

import numpy as np

from nearnd.report.summary import one_vs_rest, over_seeds
from nearnd.tables_figures._settings import chosen, name
from nearnd.tables_figures._style import WIDTH, beside, legend, method_styles, styled

MAKES = "figure"
READS = ["metrics"]


@styled
def build(data, /, methods: list[str] | None = None):
    """One panel per dataset: a row for each method, the first on top, a point for each test set
    with bars of one sd over seeds; x the AUROC averaged over normal classes, grey its mean over the
    test sets."""
    rows = one_vs_rest(chosen(data, methods))
    order, styles = list(rows["method"].unique()), method_styles(rows["test"])
    height = max(2.4, 1.1 + 0.24 * len(order))
    figure, axes = beside(data, rows["dataset"], height, width=WIDTH, sharey=True)
    for dataset, ax in axes.items():
        own = rows[rows["dataset"] == dataset]
        means = over_seeds(own, "method").set_index("method")["mean"].reindex(order)
        ax.barh(np.arange(len(order)), 100 * means, color="#E9E9E9", height=0.75)
        cells = over_seeds(own, "method", "test")
        for test, style in styles.items():
            mine = cells[cells["test"] == test].set_index("method").reindex(order)
            spread = 100 * mine["sd"] if mine["sd"].notna().any() else None
            ax.errorbar(100 * mine["mean"], np.arange(len(order)), xerr=spread, capsize=2,
                        elinewidth=1, label=name(data, test.removesuffix(".test")),
                        **style | {"linestyle": ""})  # fmt: skip
        least = 100 * min(cells["mean"].min(), means.min())
        ax.set_xlim(min(50, 10 * np.floor(least / 10)), 101)
        ax.axvline(50, color="#8C8C8C", linewidth=0.9)
        ax.set_xlabel("AUROC (%)")
        ax.grid(axis="y", visible=False)
    figure.axes[0].set_yticks(np.arange(len(order)), [name(data, m) for m in order])
    figure.axes[0].invert_yaxis()
    legend(figure, figure.axes)
    return figure
