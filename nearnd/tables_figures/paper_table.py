"""A table of a paper, filled with our numbers, the published one beside each."""

import fnmatch
import re
import string
from typing import Any

import numpy as np
import pandas as pd

from nearnd.contracts import configured
from nearnd.report.summary import bottom, nearest, values
from nearnd.report.words import measures
from nearnd.tables_figures._paper import (
    MEAN,
    Cell,
    grid,
    plain,
    published_cells,
    spread,
)
from nearnd.tables_figures._settings import name

MAKES = "table"
READS = ["metrics", "closeness", "slices", "fakes", "published"]
FAR = "auroc_one_vs_rest"
WORST, CLOSEST = "worst_class", "closest_class"  # words in place of numbers
SD = re.compile(r"sd over \d+ seeds ([\d.]+)")  # in the note of a published number
ABSENT = "no method of the catalog has the row {}"
MISSED = "not among the methods of the experiments of this column"
Pairs = list[list[Any]]


@configured
def build(
    data,
    /,
    source: str = "fitymi",
    table: str = "1a",
    # [the paper's word for a method, its row here, the row that it is held against or "", whether
    # the catalog has them]
    words: Pairs = (),
    rows: Pairs = (),  # [word, facts]: rows that are of no method
    lines: Pairs = (),  # [word, facts]: what each row is divided into
    columns: Pairs = (),  # [word, facts]
    more: bool = True,  # our other methods stand below
    unsaid: bool = False,  # the paper's numbers are of its own method, the first one, unnamed
    turned: bool = False,  # columns of the paper are rows here
):
    """Rows methods, columns what the paper has there; cells ours, mean over classes and "± sd" over
    seeds, in percent, and the published number in brackets. A cell that we do not have is "-". What
    letters mean stands in `attrs["footnotes"]`: why there is no number, and what is known to be
    wrong with a published one.

    Facts are dataset (a list of patterns; the mean over several), test, metric (auroc_one_vs_rest),
    method (a row), class, corruption, `each` (class or corruption), `over` (mean or sd over the
    row's other columns, or those in `among`), and `missing`: why there can be no number.
    """
    found = _values(data)
    theirs = published_cells(data["published"], source, table)
    whose = []
    for word, row, than, there in words:
        why = {} if there else {"missing": ABSENT.format(row)}
        whose.append((word, {"method": row, "than": than} | why))
    if unsaid:
        whose[0][1]["unsaid"] = True
    whose += [(word, facts) for word, facts in rows]
    whose += _others(data, found, whose, columns) if more else []
    names = {plain(w) for word, _ in [*whose, *lines] for w in str(word).split(", ")}
    lines = [(word, facts) for word, facts in lines]
    columns = spread(columns, theirs, found, names)
    cells = list(grid(whose, lines, columns))
    numbers = Numbers(data, found)
    ours = {(c.row, c.column): numbers.of(c.facts) for c in cells}
    for cell in cells:
        if "over" in cell.facts:
            row = [c for c in cells if c.row == cell.row and "over" not in c.facts]
            ours[cell.row, cell.column] = _over(cell.facts, row, ours)
    return _written(cells, ours, theirs, turned)


# ---- our numbers ----


def _values(data: dict[str, Any]) -> pd.DataFrame:
    """dataset, method, test, normal, seed, metric, value of all that a cell may show, and the
    `scale` at which it does; `value` of a class that is found by a minimum is its name."""
    columns = ["dataset", "method", "test", "normal", "seed", "metric", "value", "scale"]
    parts, empty = [], pd.DataFrame(columns=columns)
    if (metrics := data.get("metrics")) is not None and len(metrics):
        close = data.get("closeness")
        parts.append(values(metrics, close, data.get("slices")))
        if (metrics["anomaly"] != "rest").any():
            worst = bottom(metrics).assign(metric=WORST)
            parts.append(worst.drop(columns="value").rename(columns={"anomaly": "value"}))
            if close is not None:
                near = nearest(metrics, close).assign(metric=CLOSEST, method="", seed=0)
                parts.append(near.rename(columns={"anomaly": "value"}))
    if (fakes := data.get("fakes")) is not None:
        facts = ["dataset", "method", "normal", "seed"]
        long = fakes.melt(facts, measures(fakes), "metric", "value")
        parts.append(long.assign(test="test", scale=1))
    parts = [part if "scale" in part else part.assign(scale=100) for part in parts if len(part)]
    return pd.concat([part[columns] for part in parts] or [empty], ignore_index=True)


def _others(data, found, whose, columns) -> list[tuple[str, dict[str, Any]]]:
    """Rows of ours that the paper does not have, where its columns say nothing of methods."""
    if any("method" in facts for _, facts in columns) or not all("method" in f for _, f in whose):
        return []
    known = {facts["method"] for _, facts in whose}
    there = [m for m in dict.fromkeys(found["method"]) if m and m not in known]
    return [(name(data, row), {"method": row}) for row in there]


class Numbers:
    """What cells are filled from, found by test set, metric and method."""

    def __init__(self, data: dict[str, Any], found: pd.DataFrame):
        self.data, self.rows = data, {}
        self.datasets = list(dict.fromkeys(found["dataset"]))
        for row in found.itertuples(index=False):
            self.rows.setdefault((row.test, row.metric), {}).setdefault(row.method, []).append(row)

    def of(self, facts: dict[str, Any]) -> dict[str, Any] | str:
        """mean, sd, runs, digits of a cell, or text and runs; or why there is none."""
        if "over" in facts:
            return ""
        if "missing" in facts:
            return facts["missing"]
        test, metric = facts.get("test", "test"), facts.get("metric", FAR)
        if facts.get("by") == "corruption":
            test += f"/{facts.get('corruption', MEAN)}"
        patterns = facts.get("dataset", ["*"])
        there = [d for d in self.datasets if any(fnmatch.fnmatchcase(d, p) for p in patterns)]
        if not there:
            return f"no experiment of this table is on {', '.join(patterns)}"
        methods = {method: [row for row in rows if row.dataset in there]
                   for method, rows in self.rows.get((test, metric), {}).items()}  # fmt: skip
        if not any(methods.values()):
            return f"no experiment of this table has {metric} on {test} of {', '.join(there)}"
        rows = methods.get("" if metric == CLOSEST else facts.get("method"))
        if not rows:
            return MISSED
        have = {row.dataset for row in rows}
        if lacking := [p for p in patterns if not fnmatch.filter(have, p)]:
            return f"a mean over {len(patterns)} datasets, without numbers of {', '.join(lacking)}"
        if "class" in facts:
            rows = [row for row in rows if plain(row.normal) == plain(facts["class"])]
        if not rows:
            return "the class was not normal in the experiment"
        if metric in (WORST, CLOSEST):
            words = dict.fromkeys(name(self.data, row.value) for row in rows)
            return {"text": ", ".join(words), "runs": len({row.seed for row in rows})}
        seeds = by_seed(rows)
        if facts.get("than"):
            return _number(_gains(seeds, by_seed(methods.get(facts["than"], []))), 100)
        return _number(seeds, rows[0].scale)


def by_seed(rows: list) -> dict[Any, float]:
    """{seed: mean over classes, then over datasets}. ValueError if seeds differ in their classes,
    because their means would then not be comparable."""
    found: dict[Any, dict[str, list[float]]] = {}
    for row in rows:
        found.setdefault(row.seed, {}).setdefault(row.dataset, []).append(float(row.value))
    sizes = {tuple(sorted((d, len(v)) for d, v in sets.items())) for sets in found.values()}
    if len(sizes) > 1:
        raise ValueError(f"the seeds of {rows[0].method} were run on different numbers of classes")
    return {seed: float(np.mean([np.mean(v) for v in sets.values()]))
            for seed, sets in found.items()}  # fmt: skip


def _number(seeds: dict[Any, float], scale: float) -> dict[str, Any] | str:
    """Mean and sample standard deviation over seeds, NaN of one."""
    values = scale * np.array(list(seeds.values()))
    if not len(values):
        return MISSED
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else np.nan
    return {"mean": float(np.mean(values)), "sd": sd, "runs": len(values),
            "digits": 3 if scale == 1 else 1}  # fmt: skip


def _gains(a: dict[Any, float], b: dict[Any, float]) -> dict[Any, float]:
    """1 - b / a: what a method gains over another, of means over classes (NLN tables 1 and 2)."""
    return {seed: 1 - b[seed] / a[seed] for seed in a if seed in b}


def _over(facts, row: list[Cell], ours) -> dict[str, Any] | str:
    """The mean or the (population) deviation over the columns of a row."""
    among = [plain(word) for word in facts.get("among", [])]
    cells = [ours[c.row, c.column] for c in row if not among or plain(c.column) in among]
    if lacking := sum(isinstance(cell, str) for cell in cells):
        return f"{lacking} of its {len(cells)} numbers are missing"
    numbers = [cell["mean"] for cell in cells]
    value = float(np.mean(numbers) if facts["over"] == MEAN else np.std(numbers))
    return {"mean": value, "sd": np.nan, "runs": min(c["runs"] for c in cells), "digits": 1}


# ---- how it is written ----


def cell_text(ours: dict[str, Any] | str, mark: str, published: str) -> str:
    """One cell: our number or "-", its marks, the published number."""
    if isinstance(ours, str):
        text = "-"
    elif "text" in ours:
        text = ours["text"]
    else:
        mean, sd = (f"{ours[k]:.{ours['digits']}f}" for k in ("mean", "sd"))
        text = mean if pd.isna(ours["sd"]) else f"{mean} ± {sd}"
    return " ".join(part for part in (text, mark, published and f"[{published}]") if part)


def _written(cells: list[Cell], ours, theirs, turned: bool) -> pd.DataFrame:
    notes = Footnotes()
    texts: dict[str, dict[str, str]] = {}
    runs: dict[str, list[int]] = {}
    for cell in cells:
        found, row, column = ours[cell.row, cell.column], cell.row, cell.column or "value"
        row, column = (column, row) if turned else (row, column)
        named = cell.facts.get("metric") in (WORST, CLOSEST)
        published, remark = _published(theirs.get(cell.key), named)
        mark = f"({notes.letter(found)})" if isinstance(found, str) else ""
        if remark:
            published += f" ({notes.letter(remark)})"
        texts.setdefault(row, {})[column] = cell_text(found, mark, published)
        runs.setdefault(row, []).extend([] if isinstance(found, str) else [found["runs"]])
    table = pd.DataFrame.from_dict(texts, "index").rename_axis("row").reset_index()
    ends = [dict.fromkeys([min(r), max(r)]) if (r := runs[row]) else ["-"] for row in table["row"]]
    table["runs"] = ["-".join(map(str, end)) for end in ends]
    table.attrs["footnotes"] = notes.lines()
    return table


def _published(cell, named: bool) -> tuple[str, str]:
    """The number as printed, with its spread, and what is known about it. Where the table has
    classes by name, the name stands first in the note."""
    if cell is None:
        return "", ""
    note = "" if pd.isna(cell.note) else str(cell.note)
    if named:
        word, _, rest = note.partition(";")
        return word, rest.strip()
    sd = SD.search(note)
    note = SD.sub("", note).strip(" ;,") if sd else note
    share = float(cell.value) < 1 and "share" in note
    number = f"{cell.value:.3f}" if share else f"{cell.value:.1f}"
    return number + (f" ± {sd[1]}" if sd else ""), "" if share else note


class Footnotes:
    """Letters for what has to be said, each once."""

    def __init__(self):
        self.letters: dict[str, str] = {}

    def letter(self, text: str) -> str:
        n, letters = len(self.letters), string.ascii_lowercase
        more = letters[n // 26 - 1] if n >= 26 else ""
        return self.letters.setdefault(text, more + letters[n % 26])

    def lines(self) -> list[str]:
        return [f"({letter}) {text}" for text, letter in self.letters.items()]
