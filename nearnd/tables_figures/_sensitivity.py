"""Far and near AUROC side by side for variants of one method (FITYMI table 4)."""

import pandas as pd

from nearnd.tables_figures._marks import certainties
from nearnd.tables_figures._settings import settings
from nearnd.tables_figures._tables import cells, wide


def sensitivity(
    data: dict,
    methods: list[str] | None,
    far: str | None,
    near: str | None,
    more: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Rows {far, near by bottom-1, near by closest class}, a column per method: mean over classes,
    "± sd" over seeds, in percent; and the number of runs. `more` cells (dataset, setting, method,
    text) of these methods stand below."""
    head = ["dataset", "setting"]
    found = cells(settings(data, methods, far, near), *head, "method", of=certainties(data))
    runs = found.groupby(head, sort=False)["runs"].agg(
        lambda r: "-".join(str(run) for run in dict.fromkeys([r.min(), r.max()]))
    )
    if more is not None:
        found = pd.concat([found, more[more["method"].isin(found["method"])]])
    return wide(data, found, head, "method", runs.reset_index())
