"""Which kind of anomaly is found: the AUROC of each anomaly class, and how certain it is."""

import pandas as pd

from nearnd.contracts import configured
from nearnd.report.certainty import CLOSEST, FAR
from nearnd.report.interval import interval
from nearnd.report.summary import REST
from nearnd.tables_figures._marks import MARK, certainties, marks
from nearnd.tables_figures._settings import chosen, several
from nearnd.tables_figures._tables import wide

MAKES = "table"
READS = ["metrics", "paired"]
TASK = ["dataset", "normal", "test"]
ALL = "all anomalies"


@configured
def build(data, /, methods: list[str] | None = None):
    """A row for all anomalies of a test set and one for each class of them, with the numbers of
    images; a column for each method: AUROC in percent, mean over seeds, and its 95 % interval over
    images (report/interval.py). One sentence in place of rows where no image is an anomaly."""
    metrics = chosen(data, methods)
    rows = metrics[metrics["metric"] == "auroc"]
    if rows.empty:
        return pd.DataFrame({"anomaly": ["no test image is an anomaly, or none is normal"]})
    head = [*TASK, "anomaly"]
    groups = rows.groupby([*head, "method"], sort=False)
    found = groups[["value", "n_normal", "n_anomaly"]].agg("mean").reset_index()
    sizes = found[["value", "n_normal", "n_anomaly"]].itertuples(index=False)
    found["text"] = [_text(value, int(normal), int(anomaly)) for value, normal, anomaly in sizes]
    against = rows["anomaly"].eq(REST).map({True: FAR, False: CLOSEST})
    best = marks(certainties(data), rows.assign(metric=against), *head, "method")
    keys = found[[*head, "method"]].itertuples(index=False, name=None)
    found["text"] += [f" {MARK}" * best.get(key, False) for key in keys]
    last = found.rename(columns={"n_normal": "normal images", "n_anomaly": "anomalies"})
    last = last[[*head, "normal images", "anomalies"]].drop_duplicates(head)
    last = last.astype({"normal images": int, "anomalies": int})
    table = wide(data, found, head, "method", last)
    table["anomaly"] = table["anomaly"].replace(REST, ALL)
    return table if several(table, "normal") else table.drop(columns="normal")


def _text(auroc: float, n_normal: int, n_anomaly: int) -> str:
    low, high = interval(auroc, n_normal, n_anomaly)
    return f"{100 * auroc:.1f} ({100 * low:.0f} to {100 * high:.0f})"
