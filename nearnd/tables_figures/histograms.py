"""Histograms of the scores of one method."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from nearnd.contracts import Drawing
from nearnd.tables_figures._groups import tasks
from nearnd.tables_figures._settings import name
from nearnd.tables_figures._style import FAR, NEAR, NORMAL, legend_below, panels, styled

MAKES = "figure"
READS = ["scores", "closeness"]

BINS = 30


def build(method: str | None = None, test: str | None = None) -> Drawing:
    """One panel per normal class, scores of the first seed: normal images, the closest anomaly
    class, all other anomalies; y the share of the group in each bin. The method and the test set
    are the last and the first of the experiment if not given."""

    @styled
    def draw(data: dict[str, Any]) -> Figure:
        scores = data["scores"]
        who, where = method or scores["method"].iloc[-1], test or scores["test"].iloc[0]
        scores = scores[(scores["method"] == who) & (scores["test"] == where)]
        if scores.empty:
            raise ValueError(f"there are no scores of method {who!r} on test set {where!r}")
        scores = scores[scores["seed"] == scores["seed"].iloc[0]]
        found = list(tasks(scores, data.get("closeness")))
        several = len({key[0] for key, _, _ in found}) > 1
        columns = min(len(found), 4 if len(found) < 10 else 5)
        lines = -(-len(found) // columns)
        figure, axes = panels(lines, columns, 1.5, width=max(3.6, 1.38 * columns))
        for ((dataset, normal, *_), rows, nearest), ax in zip(found, axes.flat, strict=False):
            _panel(ax, rows, nearest)
            title = f"{name(data, dataset)}: " if several else ""
            near = f"\nclosest: {name(data, nearest)}" if nearest is not None else ""
            ax.set_title(f"{title}{name(data, normal)}{near}", fontsize=8)
        for ax in axes.flat[len(found) :]:
            ax.set_visible(False)
        figure.supxlabel(f"novelty score of {name(data, who)} (log scale where ×)", fontsize=8.5)
        figure.supylabel("share of the group per bin (%)", fontsize=8.5)
        legend_below(figure, axes.flat[0])
        return figure

    return draw


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
