"""The AUROCs that are compared by ranks: a row for each block, a column for each method."""

from collections.abc import Iterator
from typing import Literal

import pandas as pd

from nearnd.tables_figures._settings import settings, told_apart

Over = Literal["classes", "datasets"]


def blocks(
    data: dict, methods: list[str] | None, far: str | None, near: str | None, over: Over
) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """For each dataset, where blocks are its normal classes, and each setting: the dataset ("" if
    blocks are datasets), the setting, and the AUROCs (B, K), means over seeds and over what is no
    block. Methods that lack a block are left out. ValueError if there is nothing to compare."""
    values = told_apart(settings(data, methods, far, near), data["metrics"])
    block = "normal" if over == "classes" else "dataset"
    if over == "datasets":
        means = ["dataset", "method", "setting", "seed"]
        values = values.groupby(means, sort=False)["value"].mean().reset_index()
    empty = True
    for dataset in pd.unique(values["dataset"]) if over == "classes" else [""]:
        own = values[values["dataset"] == dataset] if dataset else values
        for setting, rows in own.groupby("setting", sort=False):
            table = rows.pivot_table("value", block, "method", sort=False).dropna(axis="columns")
            if len(table) > 1 and table.shape[1] > 2:
                empty = False
                yield dataset, str(setting), table
    if empty:
        raise ValueError(
            f"over: {over}: ranks take two {over} or more, and three methods that ran in all"
        )
