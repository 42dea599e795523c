"""AUROC of every method on every test set (SURV tables 3, 4 and 6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from nearnd.contracts import Drawing
from nearnd.report.summary import over_seeds, values
from nearnd.tables_figures._settings import chosen, name, percent, several

MAKES = "table"
READS = ["metrics"]


def build(methods: Sequence[str] | None = None, metric: str = "auroc_one_vs_rest") -> Drawing:
    """Rows methods, columns the test sets and their mean: "mean ± sd over seeds" in percent of
    `metric`, averaged over the normal classes, and the number of runs.

    `methods`: of the experiment, in this order; null for all. ValueError for a metric that is not
    there.
    """

    def draw(data: dict[str, Any]) -> pd.DataFrame:
        metrics = chosen(data, methods)
        ours = values(metrics)
        if metric not in set(ours["metric"]):
            raise ValueError(f"metric {metric!r} is not there; there is {sorted(set(ours.metric))}")
        ours = ours[ours["metric"] == metric]
        head = ["dataset", "method"] if several(metrics, "dataset") else ["method"]
        cells = over_seeds(ours, *head, "test").set_index([*head, "test"])
        rows = []
        for line in over_seeds(ours, *head).to_dict("records"):
            key = tuple(line[column] for column in head)
            row = {column: name(data, line[column]) for column in head}
            for test in pd.unique(ours["test"]):
                cell = cells.loc[[(*key, test)]] if (*key, test) in cells.index else None
                row[_set(data, test)] = (
                    "" if cell is None else percent(cell["mean"].item(), cell["sd"].item())
                )
            rows.append(row | {"mean": percent(line["mean"], line["sd"]), "runs": line["runs"]})
        return pd.DataFrame(rows)

    return draw


def _set(data: dict[str, Any], test: str) -> str:
    """The display name of a test set: of the other dataset, if it is another one's."""
    return name(data, test if test == "test" else test.removesuffix(".test"))
