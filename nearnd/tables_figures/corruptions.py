"""AUROC on a corrupted test set, for each corruption and severity (UNODE tables 9 and 10)."""

import pandas as pd

from nearnd.contracts import configured
from nearnd.tables_figures._slices import rows_of
from nearnd.tables_figures._tables import cells, wide

MAKES = "table"
READS = ["slices"]


@configured
def build(data, /, methods: list[str] | None = None, test: str | None = None):
    """Rows method x corruption and their mean, columns the severities and their mean: mean over
    normal classes, "± sd" over seeds, in percent; and the number of runs. All corrupted test sets
    of the experiment, or `test`."""
    slices = rows_of(data, methods, test).sort_values("severity", kind="stable")
    values = pd.concat([
        slices.assign(**dict.fromkeys(means, "mean"))
        for means in ([], ["corruption"], ["severity"], ["corruption", "severity"])
    ])  # fmt: skip
    head = ["dataset", "test", "method", "corruption"]
    found = cells(values, *head, "severity")
    runs = found.groupby(head, sort=False)["runs"].max().reset_index()
    return wide(data, found, head, "severity", runs)
