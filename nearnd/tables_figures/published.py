"""Our numbers beside the published ones."""

import pandas as pd

from nearnd.contracts import configured
from nearnd.report.summary import over_seeds, values
from nearnd.tables_figures._settings import name, percent, several

MAKES = "table"
READS = ["metrics", "closeness", "published"]
CLASSES = "*"  # in place of a published column: every class of that row, and its mean

KEYS = "metric", "dataset", "test", "method", "table", "row", "column"
LINES = """auroc_one_vs_rest | cub200 | test | fitymi_high | 1a | Birds | Ours
auroc_one_vs_rest | flowers102 | test | fitymi_high | 1a | Flowers | Ours
auroc_one_vs_rest | fgvc_aircraft | test | fitymi_high | 1b | FGVC-Aircraft | Ours
auroc_one_vs_rest | stanford_cars | test | fitymi_high | 1b | Stanford-Cars | Ours
auroc_one_vs_rest | weather | test | fitymi_high | 1b | Weather | Ours
auroc_one_vs_rest | weather | test | frozen | 3 | Weather | no fakes
auroc_one_vs_rest | cifar10 | test | fitymi | 7 | Ours | *
auroc_one_vs_rest | cifar100 | test | fitymi | 8 | Ours | *
auroc_same_class | cifar10 | cifar10_fsde.test | fitymi | 1c | CIFAR-10-FSDE | Ours
auroc_one_vs_rest | cifar10 | test | frozen | 2 | ND CIFAR-10, pre-trained | ViT-B_16
auroc_bottom1 | cifar10 | cifar100_fine.test | frozen | 2 | near-ND CIFAR-10vs100, pre-trained | ViT-B_16
auroc_bottom1 | cifar10 | cifar100_fine.test | fitymi | 6 | Ours, bottom-1 | *
auroc_clp | cifar10 | cifar100_fine.test | fitymi | 6 | Ours, CLP | *"""  # noqa: E501
# the numbers of the paper's own method, and of the backbone that it starts from
FITYMI = [dict(zip(KEYS, line.split(" | "), strict=True)) for line in LINES.splitlines()]


@configured
def build(data, /, compare: list[dict[str, str]] = FITYMI, source: str = "fitymi"):
    """One row per number that both have: ours (mean ± sd over seeds, percent), published,
    difference, runs, place in the paper, and what is known to be wrong with it.

    `compare` pairs our method and metric (and dataset and test set, if there are several) with a
    published table, row and column; column "*" takes all classes of the row, matched by display
    name, and the mean. Pairs that the experiment does not have are left out. ValueError if the
    published file has no such cell.
    """
    ours = values(data["metrics"], data.get("closeness"))
    theirs = data["published"]
    theirs = theirs[theirs["source"] == source]
    rows = []
    for pair in compare:
        mine = ours
        for column in ("dataset", "method", "metric", "test"):
            mine = mine[mine[column] == pair[column]] if column in pair else mine
        if mine.empty:
            continue
        for column, words in (("dataset", "datasets"), ("test", "test sets")):
            if several(mine, column):
                there = sorted(set(mine[column]))
                raise ValueError(f"{pair} fits the {words} {there}: say which")
        table, row = theirs["table"].astype(str), theirs["row"]
        cells = theirs[(table == pair["table"]) & (row == pair["row"])]
        if pair["column"] != CLASSES:
            cells = cells[cells["column"] == pair["column"]]
        if cells.empty:
            raise ValueError(f"the published file of {source!r} has no cell for {pair}")
        groups = {_plain(name(data, normal)): rows for normal, rows in mine.groupby("normal")}
        for cell in cells.itertuples():
            whole = pair["column"] != CLASSES or cell.column == "mean"
            part = mine if whole else groups.get(_plain(cell.column))
            if part is not None:
                rows.append(_row(data, pair, cell, part, whole))
    columns = ["dataset", "method", "metric", "class", "ours", "published", "difference",
               "runs", "place", "note"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _row(data, pair, cell, part: pd.DataFrame, whole: bool) -> dict:
    mean = over_seeds(part, "dataset").iloc[0]
    return {
        "dataset": name(data, mean["dataset"]),
        "method": name(data, pair["method"]),
        "metric": pair["metric"],
        "class": "mean" if whole else cell.column,
        "ours": percent(mean["mean"], mean["sd"]),
        "published": f"{cell.value:.1f}",
        "difference": f"{100 * mean['mean'] - cell.value:+.1f}",
        "runs": int(mean["runs"]),
        "place": f"table {cell.table}, {cell.row}, {cell.column}",
        "note": "" if pd.isna(cell.note) else cell.note,
    }


def _plain(words: str) -> str:
    """Letters and digits alone: "CIFAR-10" and "cifar10" are the same name."""
    return "".join(c for c in words.lower() if c.isalnum())
