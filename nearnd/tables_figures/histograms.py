"""Histograms of the scores of one method."""

from textwrap import fill

import numpy as np
from matplotlib.ticker import FuncFormatter, NullFormatter

from nearnd.tables_figures._groups import tasks
from nearnd.tables_figures._settings import name, of
from nearnd.tables_figures._style import FAR, NEAR, NORMAL, legend, panels, styled

MAKES = "figure"
READS = ["scores", "closeness"]
BINS = 20


@styled
def build(data, /, method: str | None = None, test: str | None = None):
    """One panel per normal class, scores of the first seed: normal images, the closest anomaly
    class, all other anomalies; y the share of the group in each bin. The method is the last of the
    experiment and the test set the first with anomalies if not given."""
    scores = data["scores"]
    who = method or scores["method"].iloc[-1]
    where = test or scores.loc[scores["is_anomaly"], "test"].iloc[0]
    scores = scores[(scores["method"] == who) & (scores["seed"] == scores["seed"].iloc[0])]
    found = list(tasks(scores, data.get("closeness"), where))
    if not found:
        raise ValueError(f"there are no scores of method {who!r} on test set {where!r}")
    columns = min(len(found), 4 if len(found) < 10 else 5)
    width = max(4.6, 1.38 * columns)
    titles = []
    for names, _, nearest in found:
        title = [of(data, names["dataset"], scores["dataset"]) + name(data, names["normal"])]
        if nearest is not None:
            title.append(f"closest: {name(data, nearest)}")
        letters = int(14 * width / columns)
        titles.append("\n".join(fill(t, letters, break_on_hyphens=False) for t in title))
    words = 0.14 * max(title.count("\n") for title in titles)
    figure, axes = panels(len(found), columns, 1.2 + words, 0.9, width=width)
    for (_, rows, nearest), title, ax in zip(found, titles, axes, strict=True):
        _panel(ax, rows, nearest)
        ax.set_title(title, fontsize=8)
    figure.supxlabel(f"novelty score of {name(data, who)}", fontsize=8.5)
    figure.supylabel("share of the group per bin (%)", fontsize=8.5)
    legend(figure, axes, "upper")
    return figure


def _panel(ax, rows, nearest: str | None) -> None:
    score, anomaly = rows["score"].to_numpy(float), rows["is_anomaly"].to_numpy(bool)
    near = anomaly & (rows["class"] == nearest).to_numpy()
    low, high = score.min(), score.max()
    log = low > 0 and high > 20 * low
    edges = (np.geomspace if log else np.linspace)(low, high, BINS + 1)
    rest = "all other anomalies" if near.any() else "anomalies"
    groups = ((rest, anomaly & ~near, FAR), ("normal", ~anomaly, NORMAL),
              ("closest anomaly class", near, NEAR))  # fmt: skip
    for label, mask, colour in groups:
        if mask.any():
            share = 100 * np.histogram(score[mask], edges)[0] / mask.sum()
            ax.stairs(share, edges, fill=True, alpha=0.25, color=colour)
            ax.stairs(share, edges, color=colour, linewidth=1.2, label=label)
    if log:
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        # the panel is too narrow for more than decades, and there is at least one
        ax.xaxis.set_minor_formatter(NullFormatter())
