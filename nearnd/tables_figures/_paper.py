"""A table of a paper as cells: which of our numbers and which published one belong into each."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import pandas as pd

MEAN = "mean"
Key = frozenset[str]


class Cell(NamedTuple):
    """`facts`: what our number is of: a method's row, datasets (patterns), a test set, a metric, a
    class. `key`: the words by which the paper has it."""

    row: str
    column: str
    facts: dict[str, Any]
    key: Key


def plain(word: Any) -> str:
    """A word without what is layout: "CIFAR-10" and "cifar10" are the same name. MSAD and MSAD*
    are not."""
    return "".join(c for c in str(word).lower() if c.isalnum() or c in "*+<>=")


def key(*words: Any) -> Key:
    """The words of a cell, whatever stands in the row and what in the column of a file."""
    parts = [plain(part) for word in words for part in str(word).split(", ")]
    return frozenset(part for part in parts if part)


def published_cells(published: pd.DataFrame, source: str, table: str) -> dict[Key, Any]:
    """{key: row of the file} of one table of a paper, in its order."""
    there = published[(published["source"] == source) & (published["table"].astype(str) == table)]
    return {key(cell.row, cell.column): cell for cell in there.itertuples()}


def spread(
    pairs: list[list[Any]], theirs: dict[Key, Any], values: pd.DataFrame, names: set[str]
) -> list[tuple[str, dict[str, Any]]]:
    """(word, facts) of columns or lines. One that says `each: class` or `each: corruption` stands
    for all that the paper has, or, where it has none, for ours. A cell that fits two of them stands
    in the first.

    names: plain words of methods and lines, which are no class
    """
    plainly = [key(word) for word, facts in pairs if "each" not in facts]
    found, taken = [], set()
    for word, facts in pairs:
        each = facts.get("each")
        if each is None:
            found.append((word, facts))
            continue
        own, rest = key(word), {k: v for k, v in facts.items() if k != "each"}
        there: dict[str, None] = {}
        for cell in theirs.values():
            whole = key(cell.row, cell.column)
            if not own <= whole or whole in taken or whole - names in plainly:
                continue
            taken.add(whole)
            words = [w for text in (cell.row, cell.column) for w in str(text).split(", ")]
            left = [w for w in words if plain(w) not in own | names]
            there[", ".join(left)] = None
        if not there:
            there = dict.fromkeys([*_ours(values, rest, each), MEAN])
        for one in there:
            more = {} if one in ("", MEAN) else {each: one}
            if each == "dataset" and more:
                more = {"dataset": [f"*_{one}"]}
            found.append((", ".join(w for w in (word, one) if w), rest | {"by": each} | more))
    return found


def _ours(values: pd.DataFrame, facts: dict[str, Any], each: str) -> list[str]:
    """The classes or corruptions that we have numbers of."""
    rows = of_dataset(values, facts)
    if each == "dataset":
        return [d.partition("_")[2] for d in dict.fromkeys(rows["dataset"])]
    if each == "class":
        return list(dict.fromkeys(rows["normal"]))
    tests = [t for t in rows["test"].unique() if t.startswith(f"{facts.get('test')}/")]
    return [t.split("/")[1] for t in tests if t.count("/") == 1 and not t.split("/")[1].isdigit()]


def of_dataset(values: pd.DataFrame, facts: dict[str, Any]) -> pd.DataFrame:
    """The rows of the datasets of a cell; all of them if it names none."""
    if "dataset" not in facts:
        return values
    patterns = facts["dataset"]
    there = [d for d in values["dataset"].unique() if any(fnmatchcase(d, p) for p in patterns)]
    return values[values["dataset"].isin(there)]


def grid(
    methods: list[tuple[str, dict[str, Any]]],
    lines: list[tuple[str, dict[str, Any]]],
    columns: list[tuple[str, dict[str, Any]]],
) -> Iterator[Cell]:
    """All cells, row by row. What a row says goes before what a line of it says, that before what
    a column says."""
    for name, method in methods:
        for line, more in lines or [("", {})]:
            row = ", ".join(word for word in (name, line) if word)
            for column, most in columns:
                facts = most | more | method
                said = "" if facts.get("unsaid") else name
                yield Cell(row, column, facts, key(said, line, column))
