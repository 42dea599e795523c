"""AUROC of every method and setting, per normal class (FITYMI tables 6 to 8)."""

from collections.abc import Mapping

import pandas as pd

from nearnd.contracts import configured
from nearnd.tables_figures._marks import certainties
from nearnd.tables_figures._settings import name, settings, stated, told_apart
from nearnd.tables_figures._tables import cells, means, wide

MAKES = "table"
READS = ["metrics", "closeness", "paired"]
HEAD = ["dataset", "method", "setting"]


@configured
def build(
    data,
    /,
    methods: list[str] | None = None,  # None: all of the experiment
    far: str | None = None,  # test sets; None: the experiment's first and last
    near: str | None = None,
    interval: bool = False,  # over images, in brackets
    closest: Mapping[str, str] | None = None,  # {normal: its near class}
    names: bool = False,  # name the anomaly class beside a near AUROC
):
    """Rows method x {far, near by bottom-1, near by closest class}, columns the normal classes and
    their mean, cells "mean ± sd over seeds" in percent, and the number of runs. One row alone
    where each task has one anomaly class, as with normals not-<class>."""
    data = stated(data, closest)
    values = told_apart(settings(data, methods, far, near), data["metrics"])
    options = {"of": certainties(data), "interval": interval}
    found = cells(values, *HEAD, "normal", **options)
    if names:
        found["text"] += _who(data, values)
    return wide(data, found, HEAD, "normal", means(values, *HEAD, **options))


def _who(data: dict, values: pd.DataFrame) -> list[str] | str:
    """ " (shrew)": the anomaly class of each cell, all of them if the seeds disagree."""
    if "anomaly" not in values:
        return ""
    groups = values.groupby([*HEAD, "normal"], sort=False)["anomaly"]
    words = [", ".join(name(data, c) for c in classes.dropna().unique()) for _, classes in groups]
    return [f" ({each})" if each else "" for each in words]
