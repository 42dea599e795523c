"""All methods of an experiment side by side: mean AUROC, far and near."""

from collections.abc import Mapping

from nearnd.contracts import configured
from nearnd.tables_figures._marks import certainties
from nearnd.tables_figures._settings import settings, stated, told_apart
from nearnd.tables_figures._tables import cells, means, wide

MAKES = "table"
READS = ["metrics", "closeness", "paired"]


@configured
def build(
    data,
    /,
    methods: list[str] | None = None,
    far: str | None = None,
    near: str | None = None,
    interval: bool = False,  # over images, in brackets
    closest: Mapping[str, str] | None = None,  # {normal: its near class}
):
    """A row for each dataset and method, a column for each of far, near (bottom-1) and near
    (closest class): mean over classes, mean and standard deviation over seeds, in percent. Near is
    left out where each task has one anomaly class: it is far again."""
    data = stated(data, closest)
    values = told_apart(settings(data, methods, far, near), data["metrics"])
    found = cells(values, "dataset", "method", "setting", of=certainties(data), interval=interval)
    runs = means(values, "dataset", "method").drop(columns="mean")
    return wide(data, found, ["dataset", "method"], "setting", runs)
