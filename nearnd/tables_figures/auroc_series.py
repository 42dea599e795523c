"""AUROC of several methods against a number in which variants differ (RETH fig. 2 to 12)."""

from collections.abc import Mapping
from typing import Literal

import pandas as pd

from nearnd.report.summary import one_vs_rest, over_seeds
from nearnd.tables_figures._settings import name, of
from nearnd.tables_figures._style import legend, maybe_log, method_styles, panels, styled

MAKES = "figure"
READS = ["metrics"]
ACROSS = 5  # panels of classes in a row


@styled
def build(
    data,
    /,
    # {word: {method: its number}}; {dataset: its number} where the datasets differ in it. None: the
    # methods of the experiment, 1, 2, 3, ...
    series: Mapping[str, Mapping[str, float | Mapping[str, float]]] | None = None,
    what: str = "setting",  # the label of the axis
    reference: str | None = None,  # a method without a number, drawn as a horizontal line
    by: Literal["dataset", "class"] = "dataset",
    test: str | None = None,  # test set; None: the first of the experiment
):
    """A panel for each dataset, or for each normal class, and a line for each of `series`: x the
    number, y the AUROC against all anomalies, mean over classes and seeds, bars of one sd over
    seeds. A logarithmic axis where the numbers are positive and span more than a decade."""
    rows = one_vs_rest(data["metrics"])
    rows = rows[rows["test"] == (test or rows["test"].iloc[0])]
    points = _points(rows, series, reference)
    head = ["dataset"] if by == "dataset" else ["dataset", "normal"]
    means = over_seeds(rows, *head, "method")
    found = list(means.groupby(head, sort=False))
    columns = min(len(found), 2 if by == "dataset" else ACROSS)
    height, extra = (2.6, 0.4) if by == "dataset" else (1.5, 0.5)
    width = {} if columns > 1 else {"width": 4.6}
    figure, axes = panels(len(found), columns, height, extra, sharey=by == "class", **width)
    styles = method_styles(points["series"])
    for (key, own), ax in zip(found, axes, strict=True):
        for word, style in styles.items():
            line = own.merge(points[points["series"] == word], on=["dataset", "method"])
            line = line.sort_values("x")
            spread = 100 * line["sd"] if line["sd"].notna().any() else None
            if len(line):
                ax.errorbar(line["x"], 100 * line["mean"], yerr=spread, **style,
                            capsize=2, elinewidth=1, label=word)  # fmt: skip
        for value in own.loc[own["method"] == reference, "mean"]:
            ax.axhline(100 * value, color="#8C8C8C", linestyle=":", linewidth=1.2,
                       label=name(data, reference))  # fmt: skip
        maybe_log(ax, "x", points["x"], 10)
        title = name(data, key[0])
        if by == "class":
            title = of(data, key[0], means["dataset"]) + name(data, key[1])
        ax.set_title(title, fontsize=9 if by == "dataset" else 8)
    figure.supxlabel(what, fontsize=8.5)
    figure.supylabel("AUROC (%)", fontsize=8.5)
    legend(figure, axes, "upper")
    return figure


def _points(rows: pd.DataFrame, series, reference: str | None) -> pd.DataFrame:
    """series, dataset, method, x. ValueError for a method that is not here."""
    there = list(dict.fromkeys(rows["method"]))
    every = {m: i + 1.0 for i, m in enumerate(m for m in there if m != reference)}
    series = series or {"all": every}
    asked = [m for numbers in series.values() for m in numbers]
    if unknown := [m for m in [*asked, reference] if m is not None and m not in there]:
        raise ValueError(f"methods {unknown} are not in this experiment; it has {there}")
    points = [
        (word, dataset, method, x.get(dataset) if isinstance(x, Mapping) else x)
        for word, numbers in series.items()
        for method, x in numbers.items()
        for dataset in dict.fromkeys(rows["dataset"])
    ]
    found = pd.DataFrame(points, columns=["series", "dataset", "method", "x"])
    return found.dropna(subset=["x"]).astype({"x": float})
