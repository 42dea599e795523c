"""AUROC of every method on every test set (SURV tables 3, 4 and 6)."""

from nearnd.contracts import configured
from nearnd.report.summary import values
from nearnd.tables_figures._marks import certainties
from nearnd.tables_figures._settings import chosen, name
from nearnd.tables_figures._tables import cells, means, wide

MAKES = "table"
READS = ["metrics", "paired"]


@configured
def build(data, /, methods: list[str] | None = None, metric: str = "auroc_one_vs_rest"):
    """Rows methods, columns the test sets and their mean: "mean ± sd over seeds" in percent of
    `metric`, averaged over the normal classes, and the number of runs.

    `methods`: of the experiment, in this order; null for all. ValueError for a metric that is not
    there.
    """
    ours = values(chosen(data, methods))
    if metric not in set(ours["metric"]):
        raise ValueError(f"metric {metric!r} is not there; there is {sorted(set(ours.metric))}")
    ours = ours[ours["metric"] == metric]
    head = ["dataset", "method"]
    found = cells(ours, *head, "test", of=certainties(data))
    last = means(ours, *head)
    # a test set of another dataset is called by that dataset
    return wide(data, found, head, "test", last, lambda d, t: name(d, t.removesuffix(".test")))
