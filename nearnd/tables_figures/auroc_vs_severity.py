"""AUROC against the severity of each corruption."""

import pandas as pd

from nearnd.report.summary import one_vs_rest, over_seeds
from nearnd.tables_figures._settings import name
from nearnd.tables_figures._slices import rows_of
from nearnd.tables_figures._style import legend, method_styles, panels, shade, styled

MAKES = "figure"
READS = ["metrics", "slices"]
CLEAN = 0  # where the clean test images stand on the axis of severities
ACROSS = 5  # panels in a row


@styled
def build(data, /, methods: list[str] | None = None, test: str | None = None):
    """The mean over corruptions first, then a panel for each corruption: x the severity, with the
    clean test images at the left, y the AUROC, a line per method: mean over normal classes and
    seeds, in a band of one sd over seeds. One corrupted test set: `test`, or the first, of the
    first dataset that has it."""
    slices = rows_of(data, methods, test)
    first = slices[slices["test"] == (test or slices["test"].iloc[0])].iloc[0]
    slices = slices[(slices["test"] == first["test"]) & (slices["dataset"] == first["dataset"])]
    clean = one_vs_rest(data["metrics"]).query("test == 'test' and dataset == @first.dataset")
    clean = clean[clean["method"].isin(slices["method"])].assign(severity=CLEAN)
    parts = {str(c): rows for c, rows in slices.groupby("corruption", sort=False)}
    parts = parts if len(parts) == 1 else {"mean": slices} | parts

    columns = min(len(parts), ACROSS)
    width = max(4.6, 1.38 * columns)
    figure, axes = panels(len(parts), columns, 1.5, 1.2, width=width, sharey=True)
    styles = method_styles(data["metrics"]["method"])
    for (title, rows), ax in zip(parts.items(), axes, strict=True):
        points = pd.concat([clean, rows])
        means = over_seeds(points, "method", "severity").sort_values("severity")
        for method in points["method"].unique():
            curve, style = means[means["method"] == method], styles[method]
            x, mean, sd = curve["severity"], 100 * curve["mean"], 100 * curve["sd"]
            ax.plot(x, mean, label=name(data, method), markersize=3, **style)
            if sd.notna().any():
                shade(ax, x, mean - sd, mean + sd, style["color"])
        severities = sorted(set(points["severity"]))
        ax.set_xticks(severities, map(str, severities))
        ax.set_title(title.replace("_", " "), fontsize=8)
    figure.supxlabel("severity (0: clean test images)", fontsize=8.5)
    figure.supylabel("AUROC (%)", fontsize=8.5)
    legend(figure, axes, "upper")
    return figure
