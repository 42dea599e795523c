"""Metrics of every task, method, test set and seed, from the score tables."""

import logging
from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from nearnd import plugins
from nearnd.contracts import Metric

KEYS = ["dataset", "normal", "method", "test", "seed"]
MEASURED = ["value", "n_normal", "n_anomaly"]
ANSWERS = {"classes": "class", "predicted": "predicted"}  # what a metric may ask for: the columns
SLICE = r"^([^/]+)/(\d+)/"  # an id of a changed copy: fog/3/<id of the clean image>

log = logging.getLogger("nearnd")


def evaluate(
    runs: list[dict], scores: list[pd.DataFrame], metrics: dict[str, Metric]
) -> pd.DataFrame:
    """One row for each number: KEYS, metric, anomaly (a class or "rest"), value and group sizes.

    runs     dicts with dataset, normal, method, images, seed; scores[i] belongs to runs[i]
    Every metric is computed for the normal images against all anomalies of the test set; "auroc"
    also against each anomaly class alone. Another dataset's images are compared with the normal
    images of the dataset's own test split, a changed copy's with the copy's own. A test set
    without anomalies gives no rows.
    """
    rows = []
    for run, table, own in _tables(runs, scores):
        normal, anomalies = _groups(table, own)
        if not len(normal) or not len(anomalies):
            sizes = f"{len(normal)} normal, {len(anomalies)} anomalies"
            log.warning(f"{'/'.join(map(str, _key(run)))}: {sizes}: no metrics")
            continue
        parts = {"rest": anomalies} | dict(list(anomalies.groupby("class")))
        for name, metric in metrics.items():
            for anomaly in parts if name == "auroc" else ["rest"]:
                if found := _measured(metric, normal, parts[anomaly]):
                    rows.append([*_key(run), name, anomaly, *found])
    return pd.DataFrame(rows, columns=[*KEYS, "metric", "anomaly", *MEASURED])


def evaluate_slices(
    runs: list[dict], scores: list[pd.DataFrame], metrics: dict[str, Metric], copies: Iterable[str]
) -> pd.DataFrame:
    """One row for each corruption and severity of the test sets in `copies`, all anomalies
    together: KEYS, corruption, severity, metric, value and group sizes.

    The slices are cut from the ids (SLICE) of images that were scored once; the normal images are
    those of the same slice. A slice without anomalies or normal images gives no rows.
    """
    rows = []
    for run, table, own in _tables(runs, scores):
        if run["images"] not in copies:
            continue
        names = table["id"].astype(str).str.extract(SLICE)  # corruption, severity
        for (corruption, severity), part in table.groupby([names[0], names[1]], sort=False):
            normal, anomalies = _groups(part, own)
            if len(normal) and len(anomalies):
                head = [*_key(run), corruption, int(severity)]
                for name, metric in metrics.items():
                    if found := _measured(metric, normal, anomalies):
                        rows.append([*head, name, *found])
    return pd.DataFrame(rows, columns=[*KEYS, "corruption", "severity", "metric", *MEASURED])


def _tables(runs, scores) -> Iterator[tuple[dict, pd.DataFrame, pd.DataFrame]]:
    """Each run, its scores, and those of the dataset's own test split."""
    tables = {_key(run): table for run, table in zip(runs, scores, strict=True)}
    for run in runs:
        yield run, tables[_key(run)], tables[_key(run | {"images": "test"})]


def _groups(table: pd.DataFrame, own: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of the normal images, and those of the anomalies."""
    normals = own if table["is_anomaly"].all() else table
    return normals[~normals["is_anomaly"]], table[table["is_anomaly"]]


def _key(run: dict) -> tuple:
    """The values of KEYS; the test set is called `images` in a run."""
    return tuple(run[k] for k in ("dataset", "normal", "method", "images", "seed"))


def _measured(metric: Metric, normal: pd.DataFrame, anomalies: pd.DataFrame) -> list:
    """MEASURED: the metric of two groups, and how large they are; nothing where it asks for what
    the method does not say."""
    labels = np.arange(len(normal) + len(anomalies)) >= len(normal)
    asked = plugins.taken(metric, dict.fromkeys(ANSWERS))
    if not all(
        column in part for column in ANSWERS.values() for part in (normal, anomalies) if asked
    ):
        return []
    said = {
        name: np.r_[normal[ANSWERS[name]], anomalies[ANSWERS[name]]].astype(str) for name in asked
    }
    value = metric(np.r_[normal["score"], anomalies["score"]], labels, **said)
    return [value, len(normal), len(anomalies)]
