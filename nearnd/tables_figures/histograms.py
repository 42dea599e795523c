"""Histograms of the scores of one method."""

from __future__ import annotations

from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from nearnd.contracts import Drawing
from nearnd.tables_figures._groups import tasks
from nearnd.tables_figures._settings import name
from nearnd.tables_figures._style import FAR, NEAR, NORMAL, legend, panels, styled

MAKES = "figure"
READS = ["scores", "closeness"]

BINS = 20


def build(method: str | None = None, test: str | None = None) -> Drawing:
    """One panel per normal class, scores of the first seed: normal images, the closest anomaly
    class, all other anomalies; y the share of the group in each bin. The method is the last of the
    experiment and the test set the first with anomalies if not given."""

    @styled
    def draw(data: dict[str, Any]) -> Figure:
        scores = data["scores"]
        who = method or scores["method"].iloc[-1]
        where = test or scores.loc[scores["is_anomaly"], "test"].iloc[0]
        scores = scores[(scores["method"] == who) & (scores["seed"] == scores["seed"].iloc[0])]
        found = list(tasks(scores, data.get("closeness"), where))
        if not found:
            raise ValueError(f"there are no scores of method {who!r} on test set {where!r}")
        several = len({names["dataset"] for names, _, _ in found}) > 1
        columns = min(len(found), 4 if len(found) < 10 else 5)
        lines = -(-len(found) // columns)
        width = max(4.6, 1.38 * columns)
        titles = [_title(data, *task, several, letters=14 * width / columns) for task in found]
        words = 0.14 * max(title.count("\n") for title in titles)
        figure, axes = panels(lines, columns, 1.2 + words + 0.9 / lines, width=width)
        for (_, rows, nearest), title, ax in zip(found, titles, axes.flat, strict=False):
            _panel(ax, rows, nearest)
            ax.set_title(title, fontsize=8)
        for ax in axes.flat[len(found) :]:
            ax.set_visible(False)
        figure.supxlabel(f"novelty score of {name(data, who)}", fontsize=8.5)
        figure.supylabel("share of the group per bin (%)", fontsize=8.5)
        legend(figure, axes.flat[0], "upper")
        return figure

    return draw


def _title(data, names, rows, nearest, several: bool, letters: float) -> str:
    where = f"{name(data, names['dataset'])}: " if several else ""
    lines = [where + name(data, names["normal"])]
    if nearest is not None:
        lines.append(f"closest: {name(data, nearest)}")
    return "\n".join(fill(line, int(letters), break_on_hyphens=False) for line in lines)


def _panel(ax, rows, nearest: str | None) -> None:
    score, anomaly = rows["score"].to_numpy(float), rows["is_anomaly"].to_numpy(bool)
    near = anomaly & (rows["class"] == nearest).to_numpy()
    low, high = score.min(), score.max()
    log = low > 0 and high > 20 * low
    edges = np.geomspace(low, high, BINS + 1) if log else np.linspace(low, high, BINS + 1)
    groups = (("all other anomalies", anomaly & ~near, FAR), ("normal", ~anomaly, NORMAL),
              ("closest anomaly class", near, NEAR))  # fmt: skip
    for label, mask, colour in groups:
        if mask.any():
            share = 100 * np.histogram(score[mask], edges)[0] / mask.sum()
            ax.stairs(share, edges, fill=True, alpha=0.25, color=colour)
            ax.stairs(share, edges, color=colour, linewidth=1.2, label=label)
    if log:
        ax.set_xscale("log")
        # the panel is too narrow for more than decades, and there is at least one
        ax.xaxis.set_minor_formatter(NullFormatter())
