"""Open-set recognition: known classes told apart, and unknown ones kept out (SURV tables 8, 9)."""

import numpy as np
import pandas as pd

from nearnd.contracts import configured
from nearnd.report.summary import REST, one_vs_rest
from nearnd.report.words import metric as called
from nearnd.tables_figures._settings import chosen, name, percent
from nearnd.tasks import Normal

MAKES = "table"
READS = ["metrics"]
HEAD = ["dataset", "test", "method"]


def openness(known: int, unknown: int) -> float:
    """1 - sqrt(2 T / (R + E)) of Scheirer et al. 2013, with the T = R known classes and the E =
    `known` + `unknown` classes of the test: 0 for a closed set, towards 1 the more are unknown."""
    return 1 - float(np.sqrt(2 * known / (2 * known + unknown)))


@configured
def build(data, /, methods: list[str] | None = None):
    """A row for each dataset, test set and method: known and unknown classes, openness and the
    metrics in percent, mean and standard deviation over trials, which are draws of known classes,
    of means over seeds.

    `methods`: of the experiment, in this order; null for all. A metric that needs a predicted class
    is "-" for a method that says none.
    """
    found = chosen(data, methods)
    shown = list(pd.unique(found["metric"]))
    values = pd.concat([one_vs_rest(found, m).assign(metric=m) for m in shown])
    trials = values.groupby([*HEAD, "metric", "normal"], sort=False)["value"].mean()
    cells = trials.groupby([*HEAD, "metric"], sort=False).agg(["mean", "std"])
    rows = []
    for key, _ in values.groupby(HEAD, sort=False):
        pairs = zip(HEAD, key, strict=True)
        row = {entry: name(data, value.removesuffix(".test")) for entry, value in pairs}
        row |= _classes(found, *key[:2])
        for metric in shown:
            there = (*key, metric) in cells.index
            title = "AUROC" if metric == "auroc" else called(metric)
            row[title] = percent(*cells.loc[(*key, metric)]) if there else "-"
        rows.append(row)
    return pd.DataFrame(rows)


def _classes(found: pd.DataFrame, dataset: str, test: str) -> dict[str, str]:
    """known and unknown classes, openness and trials: numbers, or from which to which."""
    own = found[(found["dataset"] == dataset) & (found["test"] == test)]
    unknown = own[own["anomaly"] != REST].groupby("normal")["anomaly"].nunique()
    normals = [Normal.parse(normal) for normal in unknown.index]
    stated = all(normal.names and not normal.inverted for normal in normals)
    known = [normal.count(0) for normal in normals] if stated else []
    open_ = [100 * openness(k, u) for k, u in zip(known, unknown, strict=stated)]
    spans = {"known": known, "unknown": list(unknown), "openness": open_}
    return {word: _span(each) for word, each in spans.items()} | {"trials": str(len(unknown))}


def _span(values: list[float]) -> str:
    if not values:
        return "-"
    return " to ".join(dict.fromkeys(f"{value:.3g}" for value in (min(values), max(values))))
