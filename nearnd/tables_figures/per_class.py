"""AUROC of every method and setting, per normal class (FITYMI tables 6 to 8)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from nearnd.contracts import Drawing
from nearnd.report.summary import over_seeds
from nearnd.tables_figures._settings import name, percent, settings, several, told_apart

MAKES = "table"
READS = ["metrics", "closeness"]


def build(
    methods: Sequence[str] | None = None,  # None: all of the experiment
    far: str | None = None,  # test sets; None: the experiment's first and last
    near: str | None = None,
    names: bool = False,  # name the anomaly class beside a near AUROC
) -> Drawing:
    """Rows method x {far, near by bottom-1, near by closest class}, columns the normal classes and
    their mean, cells "mean ± sd over seeds" in percent, and the number of runs. One row alone
    where each task has one anomaly class, as with normals not-<class>."""

    def draw(data: dict[str, Any]) -> pd.DataFrame:
        rows = []
        metrics = data["metrics"]
        found = told_apart(settings(data, methods, far, near), metrics)
        for setting, values in found.items():
            cells = over_seeds(values, "dataset", "method", "normal")
            means = over_seeds(values, "dataset", "method")
            for row in means.itertuples():
                mine = (cells["dataset"] == row.dataset) & (cells["method"] == row.method)
                line = {"dataset": name(data, row.dataset)} if several(metrics, "dataset") else {}
                line |= {"method": name(data, row.method), "setting": setting}
                for cell in cells[mine].itertuples():
                    line[name(data, cell.normal)] = percent(cell.mean, cell.sd) + (
                        _who(data, values, row, cell.normal) if names else ""
                    )
                rows.append(line | {"mean": percent(row.mean, row.sd), "runs": row.runs})
        order = [name(data, normal) for normal in pd.unique(metrics["normal"])]
        table = pd.DataFrame(rows)
        head = [column for column in ("dataset", "method", "setting") if column in table]
        # One method's settings together, methods in the experiment's order
        table["order"] = table.groupby(head[:-1], sort=False).ngroup()
        table = table.sort_values("order", kind="stable").reset_index(drop=True)
        return table[[*head, *(c for c in order if c in table), "mean", "runs"]].fillna("")

    return draw


def _who(data: dict[str, Any], values: pd.DataFrame, row, normal: str) -> str:
    """ " (shrew)": the anomaly class of the AUROC, all of them if the seeds disagree."""
    if "anomaly" not in values:
        return ""
    mine = (values["dataset"] == row.dataset) & (values["method"] == row.method)
    classes = pd.unique(values.loc[mine & (values["normal"] == normal), "anomaly"])
    return f" ({', '.join(name(data, c) for c in classes)})"
