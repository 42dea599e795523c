"""A table of a paper, filled with our numbers, the published one beside each."""

import re
import string
from collections.abc import Mapping
from typing import Any

import pandas as pd

from nearnd.contracts import configured
from nearnd.tables_figures._marks import LEGEND, MARK
from nearnd.tables_figures._paper import Cell, grid, plain, published_cells, spread
from nearnd.tables_figures._paper_marks import Certainties, mark
from nearnd.tables_figures._paper_numbers import (
    CLOSEST,
    WORST,
    Numbers,
    all_values,
    near_classes,
    over,
)
from nearnd.tables_figures._settings import name
from nearnd.tables_figures._tables import between

MAKES = "table"
READS = ["metrics", "closeness", "slices", "fakes", "paired", "published"]
SD = re.compile(r"sd over \d+ seeds ([\d.]+)")  # in the note of a published number
ABSENT = "no method of the catalog has the row {}"
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
    interval: bool = False,  # over images, in brackets
    closest: Mapping[str, str] | None = None,  # {normal: anomaly class} that the paper calls near
):
    """Rows methods, columns what the paper has there; cells ours, mean over classes and "± sd" over
    seeds, in percent, a MARK at the best of ours and what ties with it, and the published number in
    brackets. A cell that we do not have is "-". What letters mean stands in `attrs["footnotes"]`:
    why there is no number, and what is known to be wrong with a published one.

    Facts are dataset (a list of patterns; the mean over several), test, metric (auroc_one_vs_rest),
    method (a row), class, corruption, `each` (class or corruption), `over` (mean or sd over the
    row's other columns, or those in `among`), and `missing`: why there can be no number. The metric
    auroc_clp is against the class that our classifier finds closest, auroc_clp_stated against that
    which `closest` names.
    """
    near = near_classes(data, closest)
    found = all_values(data, near)
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
            ours[cell.row, cell.column] = over(cell.facts, row, ours)
    mark(ours, Certainties(data.get("paired", []), near), interval)
    return _written(cells, ours, theirs, turned)


def _others(data, found, whose, columns) -> list[tuple[str, dict[str, Any]]]:
    """Rows of ours that the paper does not have, where its columns say nothing of methods."""
    if any("method" in facts for _, facts in columns) or not all("method" in f for _, f in whose):
        return []
    known = {facts["method"] for _, facts in whose}
    there = [m for m in dict.fromkeys(found["method"]) if m and m not in known]
    return [(name(data, row), {"method": row}) for row in there]


def cell_text(ours: dict[str, Any] | str, letter: str, published: str) -> str:
    """One cell: our number or "-", its marks, the published number."""
    if isinstance(ours, str):
        text = "-"
    elif "text" in ours:
        text = ours["text"]
    else:
        mean, sd = (f"{ours[k]:.{ours['digits']}f}" for k in ("mean", "sd"))
        text = mean if pd.isna(ours["sd"]) else f"{mean} ± {sd}"
        text += between(ours.get("ends")) + f" {MARK}" * ours.get("best", False)
    return " ".join(part for part in (text, letter, published and f"[{published}]") if part)


def _written(cells: list[Cell], ours, theirs, turned: bool) -> pd.DataFrame:
    notes = Footnotes()
    texts: dict[str, dict[str, str]] = {}
    runs: dict[str, list[int]] = {}
    for cell in cells:
        found, row, column = ours[cell.row, cell.column], cell.row, cell.column or "value"
        row, column = (column, row) if turned else (row, column)
        named = cell.facts.get("metric") in (WORST, CLOSEST)
        published, remark = _published(theirs.get(cell.key), named)
        letter = f"({notes.letter(found)})" if isinstance(found, str) else ""
        if remark:
            published += f" ({notes.letter(remark)})"
        texts.setdefault(row, {})[column] = cell_text(found, letter, published)
        runs.setdefault(row, []).extend([] if isinstance(found, str) else [found["runs"]])
    table = pd.DataFrame.from_dict(texts, "index").rename_axis("row").reset_index()
    ends = [dict.fromkeys([min(r), max(r)]) if (r := runs[row]) else ["-"] for row in table["row"]]
    table["runs"] = ["-".join(map(str, end)) for end in ends]
    table.attrs["footnotes"] = notes.lines()
    if any(isinstance(cell, dict) and cell.get("best") for cell in ours.values()):
        table.attrs["legend"] = f"{LEGEND} Numbers in brackets are the paper's."
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
