"""Methods by their ranks in classes or datasets, each tested against the first."""

import pandas as pd

from nearnd.contracts import configured
from nearnd.report.ranks import ALPHA, DIGITS, friedman, least, mean_ranks, signed_rank
from nearnd.tables_figures._blocks import Over, blocks
from nearnd.tables_figures._settings import name, percent, several

MAKES = "table"
READS = ["metrics", "closeness"]


@configured
def build(
    data,
    /,
    methods: list[str] | None = None,
    far: str | None = None,
    near: str | None = None,
    over: Over = "classes",
):
    """For each setting (and dataset, over its classes) the methods by mean rank, 1 is best: their
    mean AUROC in percent, in how many blocks they are above, equal to and below the first, and p of
    Wilcoxon's signed-rank test against it, by Holm's method; in the first row Friedman's p.

    over: what is ranked in, the normal classes of each dataset or whole datasets.
    """
    rows = []
    for dataset, setting, table in blocks(data, methods, far, near, over):
        values = table.to_numpy().round(DIGITS)
        ranks = mean_ranks(values)
        order = ranks.argsort(kind="stable")
        best = order[0]
        p, whole = signed_rank(values, best), friedman(values)
        floor = least(*values.shape)
        for i in order:
            difference = values[:, i] - values[:, best]
            counts = [(difference > 0).sum(), (difference == 0).sum(), (difference < 0).sum()]
            rows.append({
                "dataset": name(data, dataset),
                "setting": setting,
                "method": name(data, list(table)[i]),
                over: len(table),
                "mean rank": f"{ranks[i]:.2f}",
                "AUROC (%)": percent(values[:, i].mean()),
                "above/equal/below": "" if i == best else "/".join(map(str, counts)),
                "Wilcoxon's p": "" if i == best else _p(p[i], floor),
                "Friedman's p": _p(whole) if i == best else "",
            })  # fmt: skip
    found = pd.DataFrame(rows)
    return found if several(found, "dataset") else found.drop(columns="dataset")


def _p(p: float, floor: float = 0.0) -> str:
    """In two digits; what so few blocks could not have made smaller than ALPHA says so."""
    text = f"{p:.2g}" if p >= 0.001 else "< 0.001"
    return text + (f" (at least {floor:.2g})" if floor >= ALPHA else "")
