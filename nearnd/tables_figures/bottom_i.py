"""Mean AUROC of the i hardest anomaly classes (FITYMI appendix fig. 3)."""

from matplotlib.ticker import MaxNLocator

from nearnd.report.summary import RUN, bottom_curve, over_seeds
from nearnd.tables_figures._settings import chosen, name, test_sets
from nearnd.tables_figures._style import beside, legend, method_styles, shade, styled

MAKES = "figure"
READS = ["metrics"]


@styled
def build(data, /, methods: list[str] | None = None, near: str | None = None):
    """One panel per dataset: x is i, y the bottom-i AUROC, a curve per method: mean over normal
    classes and seeds, in a band of one sd over seeds."""
    metrics = chosen(data, methods)
    styles = method_styles(data["metrics"]["method"])
    figure, axes = beside(data, metrics["dataset"], 3.2)
    for dataset, ax in axes.items():
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
                shade(ax, curve["i"], mean - sd, mean + sd, style["color"])
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        ax.set_xlabel("i, number of hardest anomaly classes")
    figure.axes[0].set_ylabel("bottom-i AUROC (%)")
    legend(figure, figure.axes)
    return figure
