"""Per-image scores split into normal, near and far."""

from __future__ import annotations

import pandas as pd


def tasks(scores: pd.DataFrame, closeness: pd.DataFrame | None):
    """For each (dataset, normal, method, test, seed): the key, its rows, and its nearest class.

    The nearest class is the closest of those in the test set, None if closeness does not know any.
    """
    for key, rows in scores.groupby(["dataset", "normal", "method", "test", "seed"], sort=False):
        yield key, rows, _nearest(rows, closeness, *key[:2])


def _nearest(rows, closeness, dataset: str, normal: str) -> str | None:
    if closeness is None:
        return None
    there = rows.loc[rows["is_anomaly"].astype(bool), "class"].unique()
    own = closeness[(closeness["dataset"] == dataset) & (closeness["normal"] == normal)]
    own = own[own["anomaly"].isin(there)]
    return None if own.empty else own.loc[own["closeness"].idxmax(), "anomaly"]
