"""AUROC against a number in which methods differ, such as the size of an exposure set."""

import pandas as pd

from nearnd.tables_figures._over_x import auroc_over
from nearnd.tables_figures._style import styled

MAKES = "figure"
READS = ["metrics", "closeness"]


@styled
def build(
    data,
    /,
    values: dict[str, float] | None = None,  # {method: its number}; None: 1, 2, 3, ...
    what: str = "setting",  # the label of the axis
    reference: str | None = None,  # a method without the number, drawn as horizontal lines
    far: str | None = None,
    near: str | None = None,
):
    """One panel per dataset: x the number, y the AUROC: mean over classes and seeds, bars of one sd
    over seeds. A logarithmic axis where the numbers are positive and span more than a decade."""
    there = list(dict.fromkeys(data["metrics"]["method"]))
    numbers = values or {m: i + 1 for i, m in enumerate(m for m in there if m != reference)}
    if unknown := [m for m in [*numbers, reference] if m is not None and m not in there]:
        raise ValueError(f"methods {unknown} are not in this experiment; it has {there}")
    datasets = pd.DataFrame({"dataset": data["metrics"]["dataset"].unique()})
    points = datasets.merge(pd.DataFrame(numbers.items(), columns=["method", "x"]), "cross")
    return auroc_over(data, points, what, 10, reference, far, near)
