"""The numbers of ours that the cells of a paper's table are filled from."""

import fnmatch
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from nearnd.report.certainty import CLOSEST as NEAREST
from nearnd.report.certainty import FAR
from nearnd.report.summary import REST, bottom, clp, nearest, values
from nearnd.report.words import measures
from nearnd.tables_figures._paper import MEAN, Cell, plain
from nearnd.tables_figures._paper_marks import STATED, What
from nearnd.tables_figures._settings import name, stated

WORST, CLOSEST = "worst_class", "closest_class"  # words in place of numbers
MISSED = "not among the methods of the experiments of this column"


def near_classes(
    data: dict[str, Any], closest: Mapping[str, str] | None
) -> dict[str, pd.DataFrame]:
    """{metric: dataset, test, normal, anomaly}: which class is near, by our classifier, and as the
    paper says, where these classes are anomalies."""
    metrics, close = data.get("metrics"), data.get("closeness")
    if metrics is None or metrics["anomaly"].eq(REST).all():
        return {}
    found = {NEAREST: nearest(metrics, close)} if close is not None else {}
    if closest:
        found[STATED] = nearest(metrics, stated(data, closest)["closeness"])
    return found


def all_values(data: dict[str, Any], near: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """dataset, method, test, normal, seed, metric, value of all that a cell may show, and the
    `scale` at which it does; `value` of a class that is found by a minimum is its name."""
    columns = ["dataset", "method", "test", "normal", "seed", "metric", "value", "scale"]
    parts, empty = [], pd.DataFrame(columns=columns)
    if (metrics := data.get("metrics")) is not None and len(metrics):
        parts.append(values(metrics, data.get("closeness"), data.get("slices")))
        if (metrics["anomaly"] != REST).any():
            worst = bottom(metrics).assign(metric=WORST)
            parts.append(worst.drop(columns="value").rename(columns={"anomaly": "value"}))
        if NEAREST in near:
            classes = near[NEAREST].assign(metric=CLOSEST, method="", seed=0)
            parts.append(classes.rename(columns={"anomaly": "value"}))
        if STATED in near:
            parts.append(clp(metrics, near[STATED].assign(closeness=1.0)).assign(metric=STATED))
    if (fakes := data.get("fakes")) is not None:
        facts = ["dataset", "method", "normal", "seed"]
        long = fakes.melt(facts, measures(fakes), "metric", "value")
        parts.append(long.assign(test="test", scale=1))
    parts = [part if "scale" in part else part.assign(scale=100) for part in parts if len(part)]
    return pd.concat([part[columns] for part in parts] or [empty], ignore_index=True)


class Numbers:
    """What cells are filled from, found by test set, metric and method."""

    def __init__(self, data: dict[str, Any], found: pd.DataFrame):
        self.data, self.rows = data, {}
        self.datasets = list(dict.fromkeys(found["dataset"]))
        for row in found.itertuples(index=False):
            self.rows.setdefault((row.test, row.metric), {}).setdefault(row.method, []).append(row)

    def of(self, facts: dict[str, Any]) -> dict[str, Any] | str:
        """mean, sd, runs, digits of a cell, or text and runs; or why there is none."""
        if "over" in facts:
            return ""
        if "missing" in facts:
            return facts["missing"]
        test, metric = facts.get("test", "test"), facts.get("metric", FAR)
        if facts.get("by") == "corruption":
            test += f"/{facts.get('corruption', MEAN)}"
        patterns = facts.get("dataset", ["*"])
        there = [d for d in self.datasets if any(fnmatch.fnmatchcase(d, p) for p in patterns)]
        if not there:
            return f"no experiment of this table is on {', '.join(patterns)}"
        methods = {method: [row for row in rows if row.dataset in there]
                   for method, rows in self.rows.get((test, metric), {}).items()}  # fmt: skip
        if not any(methods.values()):
            return f"no experiment of this table has {metric} on {test} of {', '.join(there)}"
        rows = methods.get("" if metric == CLOSEST else facts.get("method"))
        if not rows:
            return MISSED
        have = {row.dataset for row in rows}
        if lacking := [p for p in patterns if not fnmatch.filter(have, p)]:
            return f"a mean over {len(patterns)} datasets, without numbers of {', '.join(lacking)}"
        if "class" in facts:
            rows = [row for row in rows if plain(row.normal) == plain(facts["class"])]
        if not rows:
            return "the class was not normal in the experiment"
        if metric in (WORST, CLOSEST):
            words = dict.fromkeys(name(self.data, row.value) for row in rows)
            return {"text": ", ".join(words), "runs": len({row.seed for row in rows})}
        seeds = by_seed(rows)
        if facts.get("than"):
            return _number(_gains(seeds, by_seed(methods.get(facts["than"], []))), 100)
        normals: dict[str, dict[str, None]] = {}
        for row in rows:
            normals.setdefault(row.dataset, {})[row.normal] = None
        what = What((*normals,), test, metric, tuple(tuple(n) for n in normals.values()))
        return _number(seeds, rows[0].scale, of=what, method=facts["method"])


def by_seed(rows: list) -> dict[Any, float]:
    """{seed: mean over classes, then over datasets}. ValueError if seeds differ in their classes,
    because their means would then not be comparable."""
    found: dict[Any, dict[str, list[float]]] = {}
    for row in rows:
        found.setdefault(row.seed, {}).setdefault(row.dataset, []).append(float(row.value))
    sizes = {tuple(sorted((d, len(v)) for d, v in sets.items())) for sets in found.values()}
    if len(sizes) > 1:
        raise ValueError(f"the seeds of {rows[0].method} were run on different numbers of classes")
    return {seed: float(np.mean([np.mean(v) for v in sets.values()]))
            for seed, sets in found.items()}  # fmt: skip


def _number(seeds: dict[Any, float], scale: float, **more: Any) -> dict[str, Any] | str:
    """Mean and sample standard deviation over seeds, NaN of one; and `more` that is known of it."""
    values = scale * np.array(list(seeds.values()))
    if not len(values):
        return MISSED
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else np.nan
    return {"mean": float(np.mean(values)), "sd": sd, "runs": len(values),
            "digits": 3 if scale == 1 else 1} | more  # fmt: skip


def _gains(a: dict[Any, float], b: dict[Any, float]) -> dict[Any, float]:
    """1 - b / a: what a method gains over another, of means over classes (NLN tables 1 and 2)."""
    return {seed: 1 - b[seed] / a[seed] for seed in a if seed in b}


def over(facts, row: list[Cell], ours) -> dict[str, Any] | str:
    """The mean or the (population) deviation over the columns of a row."""
    among = [plain(word) for word in facts.get("among", [])]
    cells = [ours[c.row, c.column] for c in row if not among or plain(c.column) in among]
    if lacking := sum(isinstance(cell, str) for cell in cells):
        return f"{lacking} of its {len(cells)} numbers are missing"
    numbers = [cell["mean"] for cell in cells]
    value = float(np.mean(numbers) if facts["over"] == MEAN else np.std(numbers))
    return {"mean": value, "sd": np.nan, "runs": min(c["runs"] for c in cells), "digits": 1}
