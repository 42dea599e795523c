"""Metrics of every task, method, test set and seed, from the score tables."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd

from nearnd.contracts import Metric

KEYS = ["dataset", "normal", "method", "test", "seed"]

log = logging.getLogger("nearnd")


def evaluate(
    runs: list[dict], scores: list[pd.DataFrame], metrics: dict[str, Metric]
) -> pd.DataFrame:
    """One row for each number: KEYS, metric, anomaly (a class or "rest"), value and group sizes.

    runs     dicts with dataset, normal, method, images, seed; scores[i] belongs to runs[i]
    Every metric is computed for the normal images against all anomalies of the test set; "auroc"
    also against each anomaly class alone. Another dataset's images are compared with the normal
    images of the dataset's own test split. A test set without anomalies gives no rows.
    """
    tables = {_key(run): table for run, table in zip(runs, scores, strict=True)}
    rows = []
    for run in runs:
        table, own = tables[_key(run)], tables[_key(run | {"images": "test"})]
        normal = own.loc[~own["is_anomaly"], "score"].to_numpy()
        anomalies = table[table["is_anomaly"]]
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
                    facts = [run[k] for k in KEYS[:3]] + [run["images"], run["seed"]]
                    rows.append([*facts, name, anomaly, value, len(normal), len(values)])
    columns = [*KEYS, "metric", "anomaly", "value", "n_normal", "n_anomaly"]
    return pd.DataFrame(rows, columns=columns)


def _key(run: dict) -> tuple:
    return tuple(run[k] for k in ("dataset", "normal", "method", "images", "seed"))


def _join(normal, anomalies):
    labels = np.r_[np.zeros(len(normal), bool), np.ones(len(anomalies), bool)]
    return np.r_[normal, anomalies], labels
