"""From repeated draws to what each setting of each sampler costs and gives."""

from typing import Any

import pandas as pd

from nearnd.report.words import measures

WIDTH = 2.0  # of the band of noise, in standard deviations over repeats


def settings_of(samplers: pd.DataFrame) -> pd.DataFrame:
    """A row for each setting: label, setting, value, calls, rate (images per second), n_fake,
    repeats, and the mean `<measure>` and standard deviation `<measure>_sd` over repeats.

    Values are averaged over datasets, classes and seeds first, so that the deviation is that of
    drawing again.
    """
    key = ["label", "setting", "value"]
    samplers = samplers.fillna({"setting": "", "value": ""})
    numbers = [*measures(samplers), "calls", "seconds", "n_fake"]
    rows = samplers.groupby([*key, "repeat"], sort=False)[numbers].mean().reset_index()
    groups = rows.groupby(key, sort=False)
    found = groups[numbers].mean()
    found["rate"] = found["n_fake"] / found["seconds"]
    found["repeats"] = groups.size()
    for measure in measures(samplers):
        found[f"{measure}_sd"] = groups[measure].std()
    return found.reset_index()


def band(rows: pd.DataFrame, measure: str) -> tuple[float, float]:
    """The noise of the reference: its mean plus and minus WIDTH deviations.

    The reference is the first sampler of the experiment at its largest number of calls.
    """
    reference = rows[rows["label"] == rows["label"].iloc[0]]
    row: Any = reference.loc[reference["calls"].idxmax()]
    spread = WIDTH * row[f"{measure}_sd"]
    return row[measure] - spread, row[measure] + spread
