"""ROC curves of the methods, far and near."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nearnd.contracts import Drawing
from nearnd.tables_figures._curves import area, mean_roc, roc
from nearnd.tables_figures._groups import tasks
from nearnd.tables_figures._settings import name
from nearnd.tables_figures._style import method_styles, panels, styled

MAKES = "figure"
READS = ["scores", "closeness"]

GRID = np.linspace(0, 1, 501)
SIDES = ("all anomalies", "closest class")


def build(
    methods: Sequence[str] | None = None, far: str | None = None, near: str | None = None
) -> Drawing:
    """A row of two panels per dataset, against all anomalies and against the closest class: x the
    share of normal images flagged, y the share of anomalies found, a curve per method averaged over
    classes and seeds at equal x. The legend gives the mean AUROC of both panels."""

    @styled
    def draw(data: dict[str, Any]) -> Figure:
        scores = data["scores"]
        styles = method_styles(scores["method"])
        shown = list(styles) if methods is None else list(methods)
        datasets = list(scores["dataset"].unique())
        height = max(2.7, 0.6 + 0.18 * len(shown))
        figure, axes = panels(len(datasets), 2, height, sharex=True, sharey=True)
        for dataset, row in zip(datasets, axes, strict=True):
            own = scores[(scores["dataset"] == dataset) & scores["method"].isin(shown)]
            tests = list(own.loc[own["is_anomaly"], "test"].unique())
            sides = _curves(own, data.get("closeness"), far or tests[0], near or tests[-1])
            for ax, side, curves in zip(row, SIDES, sides, strict=True):
                for method, found in curves.items():
                    # A curve starts at (0, 0), where the average has no value
                    mean = np.append(0, 100 * mean_roc(found, GRID))
                    ax.plot(np.append(0, 100 * GRID), mean, **styles[method] | {"marker": ""})
                ax.plot([0, 100], [0, 100], color="#8C8C8C", linewidth=0.9, zorder=0)
                ax.set_title(f"{name(data, dataset)}: {side}")
                ax.set_xlabel("normal images flagged (%)")
                ax.xaxis.set_tick_params(labelbottom=True)
                ax.set_aspect("equal")
            row[0].set_ylabel("anomalies found (%)")
            _legend(data, row, {method: styles[method] for method in shown}, sides)
        return figure

    return draw


def _legend(data, row, styles: dict[str, dict], sides: tuple[dict, dict]) -> None:
    """Right of the panels: method, and its mean AUROC in both of them."""
    handles = []
    for method, style in styles.items():
        areas = [np.mean([area(c) for c in curves[method]]) for curves in sides if method in curves]
        words = f"{name(data, method)}: " + " | ".join(f"{100 * a:.1f}" for a in areas)
        handles.append(Line2D([], [], label=words, **style | {"marker": ""}))
    title = "mean AUROC (%)" + ("\nall | closest" if sides[1] else "")
    row[1].legend(handles=handles, title=title, loc="center left", bbox_to_anchor=(1.03, 0.5))


def _curves(scores, closeness, far: str, near: str) -> tuple[dict, dict]:
    """Method -> ROC curves of its runs, against all anomalies and against the closest class."""
    all_of_them: dict[str, list] = {}
    closest: dict[str, list] = {}
    for names, rows, _ in tasks(scores, closeness, far):
        curve = roc(rows["score"].to_numpy(float), rows["is_anomaly"].to_numpy(bool))
        all_of_them.setdefault(names["method"], []).append(curve)
    for names, rows, nearest in tasks(scores, closeness, near):
        if nearest is not None:
            rows = rows[~rows["is_anomaly"] | (rows["class"] == nearest)]
            curve = roc(rows["score"].to_numpy(float), rows["is_anomaly"].to_numpy(bool))
            closest.setdefault(names["method"], []).append(curve)
    return all_of_them, closest
