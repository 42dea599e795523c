"""Per-image scores of one run at a time, with their nearest anomaly class."""

from collections.abc import Iterator

import pandas as pd

OWN = ["dataset", "normal", "method", "seed"]


def tasks(
    scores: pd.DataFrame, closeness: pd.DataFrame | None, test: str
) -> Iterator[tuple[dict[str, str], pd.DataFrame, str | None]]:
    """For each dataset, normal class, method and seed: these names, the rows of the test set, and
    the anomaly class of the test set that is closest to the normal one (None if it is not known).

    A test set of another dataset has no normal images; those of the other test sets stand in.
    """
    for key, rows in scores.groupby(OWN, sort=False):
        own = rows[rows["test"] == test]
        if own["is_anomaly"].all():
            normal = rows[~rows["is_anomaly"]]
            own = pd.concat([own, normal[normal["test"] == normal["test"].head(1).squeeze()]])
        if own["is_anomaly"].any() and not own["is_anomaly"].all():
            names = dict(zip(OWN, key, strict=True))
            yield names, own, _nearest(own, closeness, test, names)


def _nearest(rows, closeness, test: str, names: dict[str, str]) -> str | None:
    if closeness is None:
        return None
    there = rows.loc[rows["is_anomaly"], "class"].unique()
    own = closeness[closeness["anomaly"].isin(there)]
    for column, value in {**names, "test": test}.items():
        own = own[own[column] == value] if column in own else own
    return None if own.empty else own.loc[own["closeness"].idxmax(), "anomaly"]
