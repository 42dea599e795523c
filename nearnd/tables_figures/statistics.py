"""How certain the numbers of an experiment are, and which methods they tell apart."""

import pandas as pd

from nearnd.contracts import configured
from nearnd.report.certainty import below
from nearnd.report.summary import over_seeds
from nearnd.tables_figures._marks import LEGEND, MARK, certainties, intervals, marks
from nearnd.tables_figures._settings import name, percent, settings, several, told_apart

MAKES = "table"
READS = ["metrics", "closeness", "paired"]
KEY = ["dataset", "setting", "method"]


@configured
def build(
    data, /, methods: list[str] | None = None, far: str | None = None, near: str | None = None
):
    """For each dataset and setting a row for each method: AUROC in percent, mean over classes, mean
    and standard deviation over seeds, the number of runs, the 95 % interval over images; how far
    that is below the best method, in points, and p of DeLong's paired test, by Holm's method over
    the methods. With several seeds p is also of the scores averaged over seeds."""
    values = told_apart(settings(data, methods, far, near), data["metrics"])
    of = certainties(data)
    ends, best = intervals(of, values, *KEY), marks(of, values, *KEY)
    rows = []
    order = list(pd.unique(values["dataset"]))
    groups = dict(list(values.groupby(["dataset", "setting"], sort=False)))
    for dataset, setting in sorted(groups, key=lambda key: order.index(key[0])):
        part = groups[dataset, setting]
        found = over_seeds(part, "method").set_index("method")
        certain, first = of(part), found["mean"].idxmax()
        normals = list(pd.unique(part["normal"]))
        who = list(found.index)
        tested = below(certain, first, who, normals, "aurocs") if certain else {}
        scores = below(certain, first, who, normals, "scores") if certain else {}
        for method, row in found.iterrows():
            key = (dataset, setting, method)
            low, high = ends.get(key, (float("nan"), float("nan")))
            compared = method != first and method in tested
            difference, p = tested.get(method, (float("nan"), float("nan")))
            rows.append({
                "dataset": name(data, dataset),
                "setting": setting,
                "method": name(data, method),
                "AUROC (%)": percent(row["mean"], row["sd"]) + f" {MARK}" * best.get(key, False),
                "runs": int(row["runs"]),
                "95 % interval": f"{100 * low:.1f} to {100 * high:.1f}" if key in ends else "",
                "below the best": f"{100 * difference:.1f}" if compared else "",
                "p": _p(p) if compared else "",
                "p of mean scores": _p(scores[method][1]) if compared else "",
            })  # fmt: skip
    table = pd.DataFrame(rows)
    table = table if several(table, "dataset") else table.drop(columns="dataset")
    if (table["runs"] == 1).all():  # the two are one
        table = table.drop(columns="p of mean scores")
    table.attrs["legend"] = LEGEND
    return table


def _p(p: float) -> str:
    return "not known" if pd.isna(p) else f"{p:.2g}" if p >= 0.001 else "< 0.001"
