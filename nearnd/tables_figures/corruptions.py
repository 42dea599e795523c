"""AUROC on a corrupted test set, for each corruption and severity (UNODE tables 9 and 10)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from nearnd.contracts import Drawing
from nearnd.report.summary import over_seeds
from nearnd.tables_figures._settings import name, percent, several
from nearnd.tables_figures._slices import rows_of

MAKES = "table"
READS = ["slices"]

MEAN = "mean"


def build(methods: Sequence[str] | None = None, test: str | None = None) -> Drawing:
    """Rows method x corruption and their mean, columns the severities and their mean: mean over
    normal classes, "± sd" over seeds, in percent; and the number of runs. All corrupted test sets
    of the experiment, or `test`."""

    def draw(data: dict[str, Any]) -> pd.DataFrame:
        cells = rows_of(data, methods, test)
        key = ["dataset", "test", "method", "corruption", "severity"]
        cells = cells.assign(severity=cells["severity"].astype(str))
        wide = pd.concat(
            [
                cells.assign(**dict.fromkeys(means, MEAN))
                for means in ([], ["corruption"], ["severity"], ["corruption", "severity"])
            ]
        )
        columns = [*sorted(cells["severity"].unique(), key=int), MEAN]
        head = [c for c in key[:2] if several(cells, c)] + ["method", "corruption"]
        rows = []
        for values, group in over_seeds(wide, *key).groupby(key[:4], sort=False):
            names = dict(zip(key[:4], values, strict=True))
            line = {c: names[c] if c == "corruption" else name(data, names[c]) for c in head}
            line |= {r.severity: percent(r.mean, r.sd) for r in group.itertuples()}
            rows.append(line | {"runs": group["runs"].max()})
        table = pd.DataFrame(rows)
        table["order"] = table.groupby(head[:-1], sort=False).ngroup()
        table = table.sort_values("order", kind="stable").reset_index(drop=True)
        return table[[*head, *columns, "runs"]].fillna("")

    return draw
