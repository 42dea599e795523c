"""Far and near AUROC side by side for variants of one method (FITYMI table 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from nearnd.report.summary import over_seeds
from nearnd.tables_figures._settings import name, percent, settings, several


def sensitivity(
    data: dict[str, Any],
    methods: Sequence[str] | None,
    far: str | None,
    near: str | None,
) -> pd.DataFrame:
    """Rows {far, near by bottom-1, near by closest class}, a column per method: mean over classes,
    "± sd" over seeds, in percent; and the number of runs."""
    rows = []
    for setting, values in settings(data, methods, far, near).items():
        for dataset, means in over_seeds(values, "dataset", "method").groupby(
            "dataset", sort=False
        ):
            line = {"dataset": name(data, dataset)} if several(data["metrics"], "dataset") else {}
            line["setting"] = setting
            line |= {
                name(data, row.method): percent(row.mean, row.sd) for row in means.itertuples()
            }
            runs = sorted(set(means["runs"]))
            rows.append(line | {"runs": "-".join(str(run) for run in {runs[0]: 0, runs[-1]: 0})})
    table = pd.DataFrame(rows)
    if "dataset" in table:
        table = table.sort_values("dataset", kind="stable").reset_index(drop=True)
    return table[[c for c in table if c != "runs"] + ["runs"]].fillna("")
