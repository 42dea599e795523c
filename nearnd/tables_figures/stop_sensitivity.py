"""How much the AUROC depends on when the generator was stopped (FITYMI table 4, right)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from nearnd.contracts import Drawing
from nearnd.report.words import distances, word
from nearnd.tables_figures._measures import stops
from nearnd.tables_figures._sensitivity import sensitivity
from nearnd.tables_figures._settings import name

MAKES = "table"
READS = ["metrics", "closeness", "fakes"]


def build(
    methods: Sequence[str] | None = None,  # the variants, in column order; None: all
    far: str | None = None,
    near: str | None = None,
    measure: str | None = None,  # the distance; None: the first of the table
) -> Drawing:
    """One column per method that differs from the others in the stopping rule alone, and rows with
    the step and the mean distance at which its generators were stopped."""

    def draw(data: dict[str, Any]) -> pd.DataFrame:
        table = sensitivity(data, methods, far, near)
        distance = measure or distances(data["fakes"])[0]
        stopped = stops(data["fakes"], distance)
        lines = []
        for dataset, rows in stopped.groupby("dataset", sort=False):
            rows = rows[[name(data, method) in table for method in rows["method"]]]
            for column, words in (("step", "stopped at step"), (distance, f"at {word(distance)}")):
                cells = {name(data, m): v if column == "step" else f"{v:.3g}"
                         for m, v in zip(rows["method"], rows[column], strict=True)}  # fmt: skip
                lines.append({"dataset": name(data, dataset), "setting": words} | cells)
        table = pd.concat([table, pd.DataFrame(lines).reindex(columns=table.columns)])
        if "dataset" in table:
            table = table.sort_values("dataset", kind="stable")
        return table.reset_index(drop=True).fillna("")

    return draw
