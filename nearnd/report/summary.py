"""From the long table of metrics, one row per task, method, test set and seed, to what is reported.

The metrics table has columns dataset, normal, method, test, seed, metric, anomaly, value; `anomaly`
is REST for all anomalies of the test set together, or the name of one anomaly class.
Averages are over normal classes first, never over pooled scores, and over seeds last.
"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from nearnd.report.certainty import CLOSEST, METRICS, Certainty, certainty, interval
from nearnd.report.paired import Paired

REST = "rest"
RUN = ["dataset", "normal", "method", "test", "seed"]
ROW = ["dataset", "method", "test"]


def one_vs_rest(metrics: pd.DataFrame, metric: str = "auroc") -> pd.DataFrame:
    """RUN + value: the metric of the normal class against all anomalies together."""
    rows = metrics[(metrics["metric"] == metric) & (metrics["anomaly"] == REST)]
    return rows[[*RUN, "value"]].reset_index(drop=True)


def per_anomaly(metrics: pd.DataFrame) -> pd.DataFrame:
    """RUN + anomaly + value: the AUROC of the normal class against single anomaly classes."""
    rows = metrics[(metrics["metric"] == "auroc") & (metrics["anomaly"] != REST)]
    return rows[[*RUN, "anomaly", "value"]].reset_index(drop=True)


def bottom_curve(metrics: pd.DataFrame) -> pd.DataFrame:
    """RUN + i + anomaly + value for every i: the mean of the i lowest AUROCs over anomaly classes
    ("bottom-i"); `anomaly` is the class of the very lowest (the first such one)."""
    rows = per_anomaly(metrics).sort_values("value", kind="stable")
    runs = rows.groupby(RUN, sort=False)
    i = runs.cumcount() + 1
    anomaly = runs["anomaly"].transform("first")
    rows = rows.assign(i=i, anomaly=anomaly, value=runs["value"].cumsum() / i)
    return _in_order(rows[[*RUN, "i", "anomaly", "value"]], metrics)


def bottom(metrics: pd.DataFrame, i: int = 1) -> pd.DataFrame:
    """RUN + anomaly + value: the bottom-i AUROC of each run. bottom-1 is FITYMI's near-ND number.

    Each method meets its own worst classes, and a minimum of noisy estimates is biased low.
    """
    curve = bottom_curve(metrics)
    most = curve.groupby(RUN)["i"].max().min() if len(curve) else i
    if not 1 <= i <= most:
        raise ValueError(f"i is {i}; with {most} anomaly classes bottom-i takes 1 to {most}")
    return curve[curve["i"] == i].drop(columns="i").reset_index(drop=True)


def nearest(metrics: pd.DataFrame, closeness: pd.DataFrame) -> pd.DataFrame:
    """dataset, normal, test, anomaly: the test set's class that is closest to the normal one.

    closeness has columns dataset, normal, anomaly, closeness, and test if it differs between them.
    """
    pairs = per_anomaly(metrics)[["dataset", "normal", "test", "anomaly"]].drop_duplicates()
    pairs = pairs.merge(closeness, on=[column for column in pairs if column in closeness])
    pairs = pairs.sort_values("closeness", ascending=False, kind="stable")
    return pairs.drop_duplicates(["dataset", "normal", "test"]).drop(columns="closeness")


def clp(metrics: pd.DataFrame, closeness: pd.DataFrame) -> pd.DataFrame:
    """RUN + anomaly + value: the AUROC against the closest anomaly class, the same for all methods.

    FITYMI section 3.3.1 ("CLP").
    """
    near = nearest(metrics, closeness)
    rows = per_anomaly(metrics).merge(near, on=["dataset", "normal", "test", "anomaly"])
    return _in_order(rows[[*RUN, "anomaly", "value"]], metrics)


def same_class(metrics: pd.DataFrame) -> pd.DataFrame:
    """RUN + value: the AUROC against the anomalies that are called like the normal class.

    Only another set has such: fakes of the class (CIFAR-10-FSDE, FITYMI section 3.3).
    """
    rows = per_anomaly(metrics)
    return rows[rows["anomaly"] == rows["normal"]].drop(columns="anomaly").reset_index(drop=True)


def sliced(slices: pd.DataFrame) -> pd.DataFrame:
    """RUN + metric + value of a table of slices (RUN, corruption, severity, metric, value).

    `test` says which: digits_c.test/fog/3 is one slice; digits_c.test/fog, digits_c.test/3 and
    digits_c.test/mean are means over the other one and over both. Means of AUROCs: scores of
    different slices are not pooled.
    """
    parts = []
    for by in (["corruption", "severity"], ["corruption"], ["severity"], []):
        means = slices.groupby([*RUN, *by, "metric"], sort=False)["value"].mean().reset_index()
        names = means[by].astype(str).agg("/".join, axis=1) if by and len(means) else "mean"
        parts.append(means.assign(test=means["test"] + "/" + names)[[*RUN, "metric", "value"]])
    return pd.concat(parts, ignore_index=True)


def values(
    metrics: pd.DataFrame,
    closeness: pd.DataFrame | None = None,
    slices: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """RUN + value + metric: everything that is reported, one value per run and metric."""
    parts = {"auroc_one_vs_rest": one_vs_rest(metrics)}
    if len(per_anomaly(metrics)):
        parts["auroc_bottom1"] = bottom(metrics, 1)
        parts["auroc_same_class"] = same_class(metrics)
        if closeness is not None:
            parts["auroc_clp"] = clp(metrics, closeness)
    for metric in pd.unique(metrics["metric"]):
        if metric != "auroc":
            parts[metric] = one_vs_rest(metrics, metric)
    rows = [part[[*RUN, "value"]].assign(metric=metric) for metric, part in parts.items()]
    if slices is not None and len(slices):
        rows.append(sliced(slices).replace({"metric": {"auroc": "auroc_one_vs_rest"}}))
    return pd.concat([part for part in rows if len(part)] or rows, ignore_index=True)


def grouped(metrics: pd.DataFrame, group: str) -> pd.DataFrame:
    """The metrics of a dataset as a part of a group of them: `normal` says which part."""
    return metrics.assign(dataset=group, normal=metrics["dataset"] + "/" + metrics["normal"])


def over_seeds(rows: pd.DataFrame, *by: str) -> pd.DataFrame:
    """`by` + mean, sd, runs: per seed, `value` averaged over what is not in `by`; then over seeds.

    sd is the sample standard deviation, NaN with one seed. ValueError if seeds differ in their
    classes, because their means would then not be comparable.
    """
    seeds = rows.groupby([*by, "seed"], sort=False)["value"].agg(["mean", "size"]).reset_index()
    sizes = seeds.groupby([*by], sort=False)["size"]
    if len(seeds) and (sizes.min() != sizes.max()).any():
        bad = sizes.agg(["min", "max"]).query("min != max").index[0]
        raise ValueError(f"the seeds of {bad} were run on different numbers of classes")
    table = seeds.groupby([*by], sort=False)["mean"].agg(["mean", "std", "size"]).reset_index()
    return table.rename(columns={"std": "sd", "size": "runs"})


def summary(
    metrics: pd.DataFrame,
    closeness: pd.DataFrame | None = None,
    slices: pd.DataFrame | None = None,
    paired: Sequence[Paired] = (),
) -> pd.DataFrame:
    """dataset, method, test, metric, mean, sd, runs, sd_classes, images, low, high: in [0, 1].

    metric is auroc_one_vs_rest, auroc_bottom1, auroc_same_class (against fakes of the normal
    class), auroc_clp (with a closeness table), and every other metric of the table (one-vs-rest).
    With a table of slices, test is also a slice and a mean of slices, see `sliced`.
    sd: over seeds, of the mean over classes. sd_classes: over normal classes, of the mean over
    seeds. NaN where there is only one. images: of the smaller of the two groups, normal and
    anomalous, in the class where it is smallest. low, high: the 95 % interval of the mean over
    other images, of AUROCs whose scores are `paired`, else NaN.
    """
    rows = values(metrics, closeness, slices)
    table = over_seeds(rows, *ROW, "metric")
    classes = rows.groupby([*ROW, "metric", "normal"], sort=False)["value"].mean()
    classes = classes.groupby([*ROW, "metric"], sort=False).std().rename("sd_classes")
    table = table.merge(classes.reset_index(), on=[*ROW, "metric"])
    sizes = metrics[metrics["anomaly"] == REST].groupby(ROW)[["n_normal", "n_anomaly"]].min()
    least = sizes.min(axis=1).to_dict()
    whose = table[ROW].assign(test=table["test"].str.split("/").str[0])  # also of a slice
    keys = whose.itertuples(index=False, name=None)
    table["images"] = pd.array([least.get(key) for key in keys], dtype="Int64")
    near = nearest(metrics, closeness) if closeness is not None else None
    ends = np.array(_intervals(table, paired, near), float).reshape(-1, 2)
    table["low"], table["high"] = ends.T
    # Rows of one method together, in the order in which the experiment lists them
    return rows[ROW].drop_duplicates().merge(table, on=ROW)


def _intervals(
    table: pd.DataFrame, paired: Sequence[Paired], near: pd.DataFrame | None
) -> list[tuple[float, float]]:
    """The 95 % interval over images of each row of a summary."""
    done: dict[tuple, Certainty] = {}
    for each in paired:
        for metric in METRICS:
            classes = {}
            if metric == CLOSEST and near is not None:
                own = near[(near["dataset"] == each.dataset) & (near["test"] == each.test)]
                classes = dict(zip(own["normal"], own["anomaly"], strict=True))
            done[each.dataset, each.test, metric] = certainty(each, metric, classes)
    found = []
    for row in table.itertuples():
        certain = done.get((row.dataset, row.test, row.metric))
        known = certain is not None and certain.normals and row.method in certain.methods
        found.append(interval(certain, row.method) if known else (math.nan, math.nan))
    return found


def _in_order(rows: pd.DataFrame, metrics: pd.DataFrame) -> pd.DataFrame:
    """The rows in the order in which their runs stand in the metrics table."""
    runs = metrics[RUN].drop_duplicates()
    return runs.merge(rows, on=RUN)
