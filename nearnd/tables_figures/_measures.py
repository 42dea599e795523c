"""Where generators were stopped, and how a cell shows several runs."""

import pandas as pd


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
