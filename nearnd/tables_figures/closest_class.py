"""The anomaly class closest to each normal one, ours and a published choice (FITYMI table 5)."""

from collections.abc import Mapping

import pandas as pd

from nearnd.contracts import configured
from nearnd.tables_figures._settings import name, several

MAKES = "table"
READS = ["closeness"]


@configured
def build(data, /, test: str | None = None, published: Mapping[str, str] | None = None):
    """Per normal class: the closest anomaly class and its share of the probability, the second one,
    and, if given, the `published` choice {normal: anomaly}, whether it is ours, and its rank. All
    test sets that have a closeness, or `test`. ValueError if there is none."""
    close = data.get("closeness")
    if close is None or (test and test not in set(close["test"])):
        raise ValueError("this table needs `closeness` and a test set with training images")
    close = close[close["test"] == test] if test else close
    rows = []
    head = [column for column in ("dataset", "test") if several(close, column)]
    for where, group in close.groupby(["dataset", "test", "normal"], sort=False):
        names = dict(zip(("dataset", "test", "normal"), where, strict=True))
        order = group.sort_values("closeness", ascending=False, kind="stable")
        classes, shares = list(order["anomaly"]), list(order["closeness"])
        line = {column: name(data, names[column]) for column in [*head, "normal"]}
        line |= {"closest": name(data, classes[0])}
        line["share (%)"] = f"{100 * shares[0]:.1f}"
        line["second"] = name(data, classes[1]) if len(classes) > 1 else ""
        theirs = (published or {}).get(names["normal"])
        if theirs in classes:
            line |= {"published": theirs, "same": "yes" if theirs == classes[0] else "no"}
            line["its rank"] = str(classes.index(theirs) + 1)
        rows.append(line)
    return pd.DataFrame(rows).fillna("")
