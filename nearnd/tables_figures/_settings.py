"""The far and the near setting of an experiment, the same for every table and figure."""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from nearnd.report.summary import REST, RUN, bottom, clp, one_vs_rest
from nearnd.report.words import CLOSEST, FAR, WORST
from nearnd.tasks import Normal

LEFT_OUT = "against the class left out"
# where one class is normal, as with own images and their defects, no class is nearer than another
PLAIN = {
    FAR: "all anomalies",
    WORST: "hardest anomaly class",
    CLOSEST: "closest anomaly class",
}
FEW = 10  # images; what is measured on fewer shows their number


def name(data: dict, entry: str) -> str:
    """The display name of an entry or class; the entry itself if it has none."""
    return str(data.get("labels", {}).get(entry, entry))


def chosen(data: dict, methods: list[str] | None) -> pd.DataFrame:
    """The metrics of the given methods, in the given order; of all methods if None."""
    metrics = data["metrics"]
    if methods is None:
        return metrics
    there = list(pd.unique(metrics["method"]))
    if unknown := [method for method in methods if method not in there]:
        raise ValueError(f"methods {unknown} are not in this experiment; it has {there}")
    return pd.concat([metrics[metrics["method"] == method] for method in methods])


def test_sets(
    metrics: pd.DataFrame, far: str | None, near: str | None, copies: Sequence[str]
) -> tuple[str, str | None]:
    """The names of the far and the near test set.

    If not given: far is the first of the experiment, near the last that has single anomaly classes
    (the same if there is only one), None if no test set has. Neither is one of `copies`, such as a
    corrupted test set, unless there is nothing else: that is another question than near or far.
    """
    tests = list(pd.unique(metrics["test"]))
    split = list(pd.unique(metrics.loc[metrics["anomaly"] != REST, "test"]))
    first = [test for test in tests if test not in copies] or tests
    split = [test for test in split if test not in copies] or split
    for test in (far, near):
        if test is not None and test not in tests:
            raise ValueError(f"test set {test!r} is not in this experiment; it has {tests}")
    return far or first[0], near or (split[-1] if split else None)


def settings(
    data: dict, methods: list[str] | None, far: str | None, near: str | None
) -> pd.DataFrame:
    """The AUROC of each run in each setting: columns of summary.RUN, value, setting (FAR, WORST,
    CLOSEST, in this order), least (images of the smaller group), and anomaly for the near ones,
    which are left out where the experiment has no such numbers."""
    parts = []
    for _, own in chosen(data, methods).groupby("dataset", sort=False):
        first, last = test_sets(own, far, near, data.get("copies", ()))
        parts.append((own[own["test"] == first], own[own["test"] == last]))
    far_rows, near_rows = (pd.concat(part) for part in zip(*parts, strict=True))
    found = {FAR: one_vs_rest(far_rows)}
    if (near_rows["anomaly"] != REST).any():
        found[WORST] = bottom(near_rows, 1)
        close = data.get("closeness")  # of single classes: not of all but one, nor of all
        if close is not None and len(rows := clp(near_rows, close)):
            found[CLOSEST] = rows
    rows = pd.concat([rows.assign(setting=s) for s, rows in found.items()], ignore_index=True)
    return rows.assign(least=_least(rows, data["metrics"]))


def _least(rows: pd.DataFrame, metrics: pd.DataFrame) -> list[float]:
    """The images of the smaller of the two groups behind each row."""
    measured = metrics[metrics["metric"] == "auroc"]
    sizes = measured[["n_normal", "n_anomaly"]].min(axis=1)
    known = dict(
        zip(measured[[*RUN, "anomaly"]].itertuples(index=False, name=None), sizes, strict=True)
    )
    anomaly = rows["anomaly"].fillna(REST) if "anomaly" in rows else [REST] * len(rows)
    keys = zip(rows[RUN].itertuples(index=False, name=None), anomaly, strict=True)
    return [known[(*run, each)] for run, each in keys]


def stated(data: dict, closest: Mapping[str, str] | None) -> dict:
    """The data with the near classes that `closest` names, {normal: anomaly}, in place of those
    that our classifier finds; unchanged if it is None."""
    if closest is None:
        return data
    pairs = pd.DataFrame(closest.items(), columns=["normal", "anomaly"])
    return data | {"closeness": pairs.assign(closeness=1.0)}


def told_apart(found: pd.DataFrame, metrics: pd.DataFrame) -> pd.DataFrame:
    """The settings that say something of their own: where each task has one anomaly class, near is
    far again. Far is called LEFT_OUT where every normal is all classes but one, and all are called
    by PLAIN words where only one class is normal."""
    classes = metrics[metrics["anomaly"] != REST].groupby(RUN)["anomaly"].nunique()
    far, worst = found[found["setting"] == FAR], found[found["setting"] == WORST]
    if classes.max() == 1 and set(far["test"]) == set(worst["test"]):
        found = far
    if far["normal"].map(Normal.parse).map(lambda normal: normal.inverted).all():
        found = found.replace({"setting": {FAR: LEFT_OUT}})
    elif not several(found, "normal"):
        found = found.replace({"setting": PLAIN})
    return found


def percent(mean: float, sd: float = float("nan")) -> str:
    """`98.2 ± 0.3` from fractions; without the second part where there is no spread."""
    return f"{100 * mean:.1f}" + ("" if pd.isna(sd) else f" ± {100 * sd:.1f}")


def several(table: pd.DataFrame, column: str) -> bool:
    """Whether the table has more than one value in the column."""
    return table[column].nunique() > 1


def of(data: dict, dataset: str, datasets: Iterable[str]) -> str:
    """`Digits: ` before what belongs to a dataset, nothing if there is no other one."""
    return f"{name(data, dataset)}: " if len(set(datasets)) > 1 else ""
