"""Words for the fidelity measures, and which columns of a table are measures."""

from __future__ import annotations

import pandas as pd

WORDS = {
    "frechet": "Fréchet distance",
    "kid": "KID",
    "density": "density",
    "coverage": "coverage",
    "precision": "precision",
    "recall": "recall",
}
NOT_MEASURES = {
    "dataset", "normal", "generator", "fakes", "method", "seed", "n", "step", "copies", "loss",
    "seconds", "n_real", "n_fake", "normal_images", "best_frechet",
}  # fmt: skip


def measures(table: pd.DataFrame) -> list[str]:
    """The measures a fidelity or fakes table has, known ones first."""
    there = [
        column
        for column in table
        if column not in NOT_MEASURES
        and not column.startswith("best_")
        and pd.api.types.is_numeric_dtype(table[column])
    ]
    return [m for m in WORDS if m in there] + [m for m in there if m not in WORDS]


def word(measure: str) -> str:
    return WORDS.get(measure, measure)


def stops(fakes: pd.DataFrame, measure: str) -> pd.DataFrame:
    """dataset, method, step and the measure at which the generator was stopped, means over classes
    and seeds. The fakes table says in `method` which method was trained on the fakes."""
    for column in ("method", measure):
        if column not in fakes:
            raise ValueError(
                f"the fakes table has no column {column!r}, only {list(fakes)}; a figure of the"
                " stopping point needs one row per method, class and seed"
            )
    fakes = fakes.dropna(subset=[measure])
    return fakes.groupby(["dataset", "method"], sort=False)[["step", measure]].mean().reset_index()
