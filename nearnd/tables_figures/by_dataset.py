"""One row for each method, one column for each dataset: how the papers' main tables look."""

from __future__ import annotations

from typing import Any

import pandas as pd

from nearnd.contracts import Drawing
from nearnd.report.summary import over_seeds
from nearnd.tables_figures._settings import CLOSEST, FAR, WORST, name, percent, settings

MAKES = "table"
READS = ["metrics", "closeness"]
SHOWN = {"far": FAR, "near": WORST, "closest": CLOSEST}


def build(show: str = "far") -> Drawing:
    """Mean AUROC over classes, mean and standard deviation over seeds, in percent; last the mean
    over datasets, of methods that have them all. A method that did not run on a dataset has "-".

    show: far (one-vs-rest), near (bottom-1) or closest (the nearest class).
    """
    if show not in SHOWN:
        raise ValueError(f"by_dataset: show is {show!r}; it may be one of {', '.join(SHOWN)}")

    def draw(data: dict[str, Any]) -> pd.DataFrame:
        found = settings(data)
        if SHOWN[show] not in found:
            raise ValueError(f"by_dataset: show is {show}, of which the experiment has no numbers")
        table = over_seeds(found[SHOWN[show]], "dataset", "method")
        table["cell"] = [percent(m, s) for m, s in zip(table["mean"], table["sd"], strict=True)]
        cells = table.pivot(index="method", columns="dataset", values="cell")
        cells = cells.loc[pd.unique(table["method"]), pd.unique(table["dataset"])]
        whole = cells.notna().all(axis=1)
        rows = table.groupby("method").agg({"mean": "mean", "runs": "min"}).loc[cells.index]
        cells = cells.fillna("-").rename(columns=lambda dataset: name(data, dataset))
        cells["mean"] = rows["mean"].map(percent).where(whole, "-")
        cells["runs"] = rows["runs"]
        cells.insert(0, "method", [name(data, method) for method in cells.index])
        return cells.reset_index(drop=True).rename_axis(columns=None)

    return draw
