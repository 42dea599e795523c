"""ROC curves of the methods, far and near."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

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
    classes and seeds at equal x. The legends give the mean AUROC."""

    @styled
    def draw(data: dict[str, Any]) -> Figure:
        scores = data["scores"]
        styles = method_styles(scores["method"])
        shown = list(styles) if methods is None else list(methods)
        datasets = list(scores["dataset"].unique())
        height = 3.1 + 0.16 * len(shown)
        figure, axes = panels(len(datasets), 2, height, sharex=True, sharey=True)
        for dataset, row in zip(datasets, axes, strict=True):
            own = scores[(scores["dataset"] == dataset) & scores["method"].isin(shown)]
            tests = list(own["test"].unique())
            sets = (far or tests[0], near or tests[-1])
            for ax, side, curves in zip(row, SIDES, _curves(own, data.get("closeness"), *sets),
                                        strict=True):  # fmt: skip
                for method in shown:
                    if not curves.get(method):
                        continue
                    found = mean_roc(curves[method], GRID)
                    auroc = np.mean([area(curve) for curve in curves[method]])
                    style = styles[method] | {"marker": ""}
                    # A curve starts at (0, 0), where the average has no value
                    ax.plot(np.append(0, 100 * GRID), np.append(0, 100 * found),
                            label=f"{name(data, method)}: {100 * auroc:.1f}", **style)  # fmt: skip
                ax.plot([0, 100], [0, 100], color="#8C8C8C", linewidth=0.9, zorder=0)
                ax.set_title(f"{name(data, dataset)}, against {side}")
                ax.set_xlabel("false alarms: normal images flagged (%)")
                ax.xaxis.set_tick_params(labelbottom=True)
                ax.set_aspect("equal")
                if ax.lines[:-1]:
                    ax.legend(title="mean AUROC (%)", loc="upper center",
                              bbox_to_anchor=(0.5, -0.16))  # fmt: skip
            row[0].set_ylabel("anomalies found (%)")
        return figure

    return draw


def _curves(scores, closeness, far: str, near: str) -> tuple[dict, dict]:
    """Method -> ROC curves of its tasks, against all anomalies and against the closest class."""
    all_of_them: dict[str, list] = {}
    closest: dict[str, list] = {}
    for (_, _, method, test, _), rows, nearest in tasks(scores, closeness):
        anomaly, values = rows["is_anomaly"].to_numpy(bool), rows["score"].to_numpy(float)
        if test == far:
            all_of_them.setdefault(method, []).append(roc(values, anomaly))
        if test == near and nearest is not None:
            keep = ~anomaly | (rows["class"] == nearest).to_numpy()
            closest.setdefault(method, []).append(roc(values[keep], anomaly[keep]))
    return all_of_them, closest
