"""Metrics of every task, method, test set and seed, from the score tables."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from nearnd.contracts import Metric

KEYS = ["dataset", "normal", "method", "test", "seed"]
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
        groups = {"rest": anomalies["score"].to_numpy()}
        groups |= {c: part.to_numpy() for c, part in anomalies.groupby("class")["score"]}
        if not len(normal) or not len(anomalies):
            log.warning(
                f"{_key(run)}: {len(normal)} normal, {len(anomalies)} anomalies: no metrics"
            )
            continue
        for name, metric in metrics.items():
            for anomaly, values in groups.items():
                if anomaly == "rest" or name == "auroc":
                    value = metric(*_join(normal, values))
                    rows.append([*_facts(run), name, anomaly, value, len(normal), len(values)])
    columns = [*KEYS, "metric", "anomaly", "value", "n_normal", "n_anomaly"]
    return pd.DataFrame(rows, columns=columns)


def evaluate_slices(
    runs: list[dict],
    scores: list[pd.DataFrame],
    metrics: dict[str, Metric],
    copies: Iterable[str],
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
            if not len(normal) or not len(anomalies):
                continue
            pair = _join(normal, anomalies["score"].to_numpy())
            head = [*_facts(run), corruption, int(severity)]
            sizes = [len(normal), len(anomalies)]
            rows += [[*head, name, metric(*pair), *sizes] for name, metric in metrics.items()]
    columns = ["corruption", "severity", "metric", "value", "n_normal", "n_anomaly"]
    return pd.DataFrame(rows, columns=[*KEYS, *columns])


def _tables(runs, scores) -> Iterator[tuple[dict, pd.DataFrame, pd.DataFrame]]:
    """Each run, its scores, and those of the dataset's own test split."""
    tables = {_key(run): table for run, table in zip(runs, scores, strict=True)}
    for run in runs:
        yield run, tables[_key(run)], tables[_key(run | {"images": "test"})]


def _groups(table: pd.DataFrame, own: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame]:
    """The scores of the normal images (n,), and the rows of the anomalies."""
    normals = own if table["is_anomaly"].all() else table
    return normals.loc[~normals["is_anomaly"], "score"].to_numpy(), table[table["is_anomaly"]]


def _key(run: dict) -> tuple:
    return tuple(run[k] for k in ("dataset", "normal", "method", "images", "seed"))


def _facts(run: dict) -> list:
    return [run[k] for k in KEYS[:3]] + [run["images"], run["seed"]]


def _join(normal, anomalies):
    labels = np.r_[np.zeros(len(normal), bool), np.ones(len(anomalies), bool)]
    return np.r_[normal, anomalies], labels
