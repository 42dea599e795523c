"""The AUROCs of corrupted test sets, cut by corruption and severity."""

from collections.abc import Sequence

import pandas as pd


def rows_of(data: dict, methods: Sequence[str] | None, test: str | None) -> pd.DataFrame:
    """The rows of data["slices"] with AUROCs, of the given methods in this order and the given test
    set (None: all). ValueError if there are none."""
    slices = data["slices"]
    slices = slices[slices["metric"] == "auroc"]
    there = {"method": list(pd.unique(slices["method"])), "test": list(pd.unique(slices["test"]))}
    if slices.empty:
        raise ValueError(
            "no test set of this experiment is a corrupted copy of another one: name one in tests"
        )
    for column, asked in (("method", methods or []), ("test", [test] if test else [])):
        if unknown := [entry for entry in asked if entry not in there[column]]:
            raise ValueError(f"{column} {unknown} has no slices here; {there[column]} have some")
    if test:
        slices = slices[slices["test"] == test]
    return pd.concat([slices[slices["method"] == m] for m in methods or there["method"]])
