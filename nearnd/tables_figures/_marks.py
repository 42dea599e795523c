"""Which numbers of a table the images tell apart, and how certain each is."""

from collections.abc import Callable

import pandas as pd

from nearnd.report.certainty import CLOSEST, FAR, SAME, WORST, Certainty, certainty, interval, ties
from nearnd.report.summary import over_seeds
from nearnd.tables_figures import _settings as s

MARK = "•"
LEGEND = (
    f"{MARK} the best of those it is compared with, and what the images do not show to be worse"
    " (paired DeLong test, 5 %, Holm; docs/STATISTICS.md)."
)
METRICS = {s.FAR: FAR, s.LEFT_OUT: FAR, s.WORST: WORST, s.CLOSEST: CLOSEST}
METRICS |= {plain: METRICS[setting] for setting, plain in s.PLAIN.items()}
Certainties = Callable[[pd.DataFrame], Certainty | None]


def certainties(data: dict) -> Certainties:
    """A function of rows of one dataset, test set and setting (or metric), such as `settings`
    gives: how certain their numbers are, computed once; None if it is not known, as of a metric
    that is no AUROC, or of methods that were never run together."""
    sets, done = data.get("paired", []), {}

    def of(rows: pd.DataFrame) -> Certainty | None:
        what = rows["metric"] if "metric" in rows else rows["setting"].map(METRICS)
        heads = [pd.unique(column) for column in (rows["dataset"], rows["test"], what)]
        if any(len(head) != 1 for head in heads):
            return None
        dataset, test, metric = (head[0] for head in heads)
        if metric not in (*METRICS.values(), SAME):
            return None
        near = rows[["normal", "anomaly"]].drop_duplicates() if metric == CLOSEST else rows[:0]
        nearest = dict(zip(near["normal"], near.get("anomaly", []), strict=True))
        methods = set(rows["method"])
        for i, each in enumerate(sets):
            if (each.dataset, each.test) == (dataset, test) and methods <= {*each.methods}:
                key = (i, metric, *sorted(nearest.items()))
                if key not in done:
                    done[key] = certainty(each, metric, nearest)
                if set(rows["normal"]) <= set(done[key].normals):
                    return done[key]
        return None

    return of


def marks(of: Certainties, values: pd.DataFrame, *by: str) -> dict[tuple, bool]:
    """{values of `by`: whether it is the best of the methods with these other values of `by`, or
    cannot be told from it}; nothing for what is not compared or not known."""
    found: dict[tuple, bool] = {}
    for _, rows in values.groupby([b for b in by if b != "method"], sort=False):
        means = over_seeds(rows, "method").set_index("method")["mean"]
        certain = of(rows) if len(means) > 1 else None
        if certain is not None:
            told = ties(certain, means.idxmax(), list(means.index), list(pd.unique(rows["normal"])))
            for key in rows[[*by]].drop_duplicates().itertuples(index=False):
                found[tuple(key)] = told[key.method]
    return found


def intervals(of: Certainties, values: pd.DataFrame, *by: str) -> dict[tuple, tuple[float, float]]:
    """{values of `by`: the 95 % interval over images}; nothing for what is not known."""
    found: dict[tuple, tuple[float, float]] = {}
    for _, rows in values.groupby([b for b in by if b != "method"], sort=False):
        certain = of(rows)
        if certain is not None:
            normals = list(pd.unique(rows["normal"]))
            for key in rows[[*by]].drop_duplicates().itertuples(index=False):
                found[tuple(key)] = interval(certain, key.method, normals)
    return found
