"""How much the AUROC depends on when the generator was stopped (FITYMI table 4, right)."""

import pandas as pd

from nearnd.contracts import configured
from nearnd.report.words import distances, word
from nearnd.tables_figures._measures import stops
from nearnd.tables_figures._sensitivity import sensitivity

MAKES = "table"
READS = ["metrics", "closeness", "paired", "fakes"]


@configured
def build(
    data,
    /,
    methods: list[str] | None = None,  # the variants, in column order; None: all
    far: str | None = None,
    near: str | None = None,
    measure: str | None = None,  # the distance; None: the first of the table
):
    """One column per method that differs from the others in the stopping rule alone, and rows with
    the step and the mean distance at which its generators were stopped."""
    distance = measure or distances(data["fakes"])[0]
    at = stops(data["fakes"], distance)
    step = at.assign(setting="stopped at step", text=at["step"])
    value = at.assign(setting=f"at {word(distance)}", text=at[distance].map("{:.3g}".format))
    return sensitivity(data, methods, far, near, pd.concat([step, value]))
