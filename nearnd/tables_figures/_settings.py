"""The far and the near setting of an experiment, the same for every table and figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from nearnd.report.summary import REST, RUN, bottom, clp, one_vs_rest

FAR = "far (one-vs-rest)"
WORST = "near (bottom-1)"
CLOSEST = "near (closest class)"
LEFT_OUT = "against the class left out"


def name(data: dict[str, Any], entry: str) -> str:
    """The display name of an entry or class; the entry itself if it has none."""
    return str(data.get("labels", {}).get(entry, entry))


def chosen(data: dict[str, Any], methods: Sequence[str] | None) -> pd.DataFrame:
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
    data: dict[str, Any],
    methods: Sequence[str] | None = None,
    far: str | None = None,
    near: str | None = None,
) -> dict[str, pd.DataFrame]:
    """FAR, WORST, CLOSEST -> one AUROC per run (columns of summary.RUN, value, and anomaly for the
    near ones). WORST and CLOSEST are left out where the experiment has no such numbers."""
    metrics = chosen(data, methods)
    parts = []
    for _, own in metrics.groupby("dataset", sort=False):
        first, last = test_sets(own, far, near, data.get("copies", ()))
        parts.append((own[own["test"] == first], own[own["test"] == last]))
    far_rows, near_rows = (pd.concat(part) for part in zip(*parts, strict=True))
    found = {FAR: one_vs_rest(far_rows)}
    if (near_rows["anomaly"] != REST).any():
        found[WORST] = bottom(near_rows, 1)
        close = data.get("closeness")  # of single classes: not of all but one, nor of all
        if close is not None and len(rows := clp(near_rows, close)):
            found[CLOSEST] = rows
    return found


def told_apart(found: dict[str, pd.DataFrame], metrics: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The settings that say something of their own: where each task has one anomaly class, near is
    far again. Far is called LEFT_OUT where every normal is all classes but one."""
    classes = metrics[metrics["anomaly"] != REST].groupby(RUN)["anomaly"].nunique()
    if (
        WORST in found
        and classes.max() == 1
        and set(found[FAR]["test"]) == set(found[WORST]["test"])
    ):
        found = {FAR: found[FAR]}
    if found[FAR]["normal"].str.startswith("not-").all():
        found = {LEFT_OUT if setting == FAR else setting: rows for setting, rows in found.items()}
    return found


def percent(mean: float, sd: float = float("nan")) -> str:
    """`98.2 ± 0.3` from fractions; without the second part where there is no spread."""
    return f"{100 * mean:.1f}" + ("" if pd.isna(sd) else f" ± {100 * sd:.1f}")


def several(table: pd.DataFrame, column: str) -> bool:
    """Whether the table has more than one value in the column."""
    return table[column].nunique() > 1
