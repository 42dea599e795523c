"""All methods of an experiment on one axis: where each is on far and on near anomalies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from nearnd.contracts import Drawing
from nearnd.report.summary import over_seeds
from nearnd.tables_figures._settings import (
    CLOSEST,
    FAR,
    LEFT_OUT,
    WORST,
    name,
    settings,
    told_apart,
)
from nearnd.tables_figures._style import FAKE, NEAR, legend, panels, styled
from nearnd.tables_figures._style import FAR as GREY

MAKES = "figure"
READS = ["metrics", "closeness"]
LOOK = {FAR: (GREY, "o"), LEFT_OUT: (GREY, "o"), WORST: (NEAR, "s"), CLOSEST: (FAKE, "D")}


def build(
    methods: Sequence[str] | None = None, far: str | None = None, near: str | None = None
) -> Drawing:
    """One panel per dataset, one line per method, in the order of the experiment: mean AUROC over
    classes and seeds, with one sd over seeds. Near is left out where it is far again."""

    @styled
    def draw(data: dict[str, Any]) -> Figure:
        found = told_apart(settings(data, methods, far, near), data["metrics"])
        found = {key: over_seeds(rows, "dataset", "method") for key, rows in found.items()}
        first = next(iter(found.values()))
        datasets, names = list(first["dataset"].unique()), list(first["method"].unique())
        height = 0.9 + 0.24 * len(names)
        width = max(5.0, 3.4 * len(datasets))
        figure, axes = panels(1, len(datasets), height, width=width, sharey=True)
        for dataset, ax in zip(datasets, axes.flat, strict=True):
            for setting, table in found.items():
                own = table[table["dataset"] == dataset].set_index("method").reindex(names)
                colour, marker = LOOK[setting]
                ax.errorbar(
                    100 * own["mean"], np.arange(len(names)), xerr=100 * own["sd"].fillna(0),
                    fmt=marker, color=colour, label=setting, elinewidth=1, capsize=0,
                )  # fmt: skip
            ax.set_yticks(np.arange(len(names)), [name(data, method) for method in names])
            ax.set_xlabel("AUROC (%)")
            ax.set_title(name(data, dataset))
        axes.flat[0].set_ylim(len(names) - 0.5, -0.5)  # the first method on top
        legend(figure, axes.flat[0])
        return figure

    return draw
