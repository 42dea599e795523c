"""All methods of an experiment side by side: mean AUROC, far and near."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from nearnd.contracts import Drawing
from nearnd.report.summary import over_seeds
from nearnd.tables_figures._settings import name, percent, settings, told_apart

MAKES = "table"
READS = ["metrics", "closeness"]


def build(
    methods: Sequence[str] | None = None, far: str | None = None, near: str | None = None
) -> Drawing:
    """A row for each dataset and method, a column for each of far, near (bottom-1) and near
    (closest class): mean over classes, mean and standard deviation over seeds, in percent. Near is
    left out where each task has one anomaly class: it is far again."""

    def draw(data: dict[str, Any]) -> pd.DataFrame:
        found = told_apart(settings(data, methods, far, near), data["metrics"])
        columns = {}
        for setting, rows in found.items():
            table = over_seeds(rows, "dataset", "method").set_index(["dataset", "method"])
            columns[setting] = [
                percent(m, s) for m, s in zip(table["mean"], table["sd"], strict=True)
            ]
            columns["runs"] = table["runs"].tolist()
        index = table.index
        runs = columns.pop("runs")
        front = {"method": [name(data, method) for _, method in index]}
        if index.get_level_values(0).nunique() > 1:
            front = {"dataset": [name(data, dataset) for dataset, _ in index]} | front
        return pd.DataFrame(front | columns | {"runs": runs})

    return draw
