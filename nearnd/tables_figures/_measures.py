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
    """dataset, method, step (a text) and the measure at which the generator was stopped, means over
    classes and seeds. The fakes table says in `method` which method was trained on the fakes."""
    for column in ("method", measure):
        if column not in fakes:
            raise ValueError(
                f"the fakes table has no column {column!r}, only {list(fakes)}; a figure of the"
                " stopping point needs one row per method, class and seed"
            )
    groups = fakes.dropna(subset=[measure]).groupby(["dataset", "method"], sort=False)
    means = groups[[measure]].mean()
    means["step"] = [step(group) for _, group in groups]
    return means.reset_index()


def step(fakes: pd.DataFrame) -> str:
    """The step of the snapshot, "mean ± sd" where it is not the same in all rows; the steps of
    several snapshots of which each gave a share."""
    if "steps" in fakes and fakes["steps"].notna().any():
        return "; ".join(fakes["steps"].dropna().unique())
    return cell(fakes.get("step", pd.Series(dtype=float)), ".0f")


def cell(values: pd.Series, digits: str) -> str:
    """mean ± sd over seeds; empty where there is no value, one number where all are the same."""
    values = values.dropna()
    if not len(values):
        return ""
    spread = values.std() if values.nunique() > 1 else 0
    return format(values.mean(), digits) + (f" ± {format(spread, digits)}" if spread else "")
