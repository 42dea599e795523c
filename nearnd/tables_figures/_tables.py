"""Tables with a column for each of something, of cells `mean ± sd` in percent."""

from collections.abc import Callable

import pandas as pd

from nearnd.report.summary import over_seeds
from nearnd.tables_figures._marks import LEGEND, MARK, Certainties, intervals, marks
from nearnd.tables_figures._settings import FEW, name, percent, several


def cells(
    values: pd.DataFrame, *by: str, of: Certainties | None = None, interval: bool = False
) -> pd.DataFrame:
    """`by`, text and runs: see over_seeds. The text has the 95 % interval over images if `interval`
    says so and `of` knows it; the number of images, as in "100.0 (n=1)", where `values` has `least`
    and a group is smaller than FEW; and a MARK where `of` finds the best and what ties with it."""
    found = over_seeds(values, *by)
    least = values.assign(least=values.get("least", FEW)).groupby([*by], sort=False)["least"].min()
    marked = marks(of, values, *by) if of else {}
    best = [marked.get(key, False) for key in found[[*by]].itertuples(index=False, name=None)]
    ends = intervals(of, values, *by) if of and interval else {}
    shown = [between(ends.get(key)) for key in found[[*by]].itertuples(index=False, name=None)]
    rows = zip(found["mean"], found["sd"], shown, least, best, strict=True)
    texts = [percent(m, sd) + ends + few(n) + f" {MARK}" * first for m, sd, ends, n, first in rows]
    return found.assign(text=texts)


def between(ends: tuple[float, float] | None) -> str:
    return f" ({100 * ends[0]:.1f} to {100 * ends[1]:.1f})" if ends else ""


def few(n: float) -> str:
    """How many images a number stands on, if they are too few to tell much."""
    return f" (n={n:.0f})" if n < FEW else ""


def means(values: pd.DataFrame, *by: str, **options) -> pd.DataFrame:
    """`by`, mean (a text) and runs: the last columns of a table; `options` as of `cells`."""
    found = cells(values, *by, **options)
    return found.assign(mean=found["text"])[[*by, "mean", "runs"]]


def wide(
    data: dict,
    found: pd.DataFrame,
    head: list[str],
    column: str,
    last: pd.DataFrame,
    called: Callable[[dict, str], str] = name,
    always: bool = False,
) -> pd.DataFrame:
    """A row for each `head` of the cells `found`, a column for each value of `column` in their
    order, and the columns of `last`, which has the columns of `head` too.

    Rows with the same first columns stand together. Which dataset or test set is only said
    if there are several, or `always`. `attrs["legend"]` says what marks mean.
    """
    rows = found[head].drop_duplicates()
    for part in range(len(head) - 1, 0, -1):
        place = rows.groupby(head[:part], sort=False).ngroup()
        rows = rows.iloc[place.argsort(kind="stable")]
    texts = found.set_index([*head, column])["text"].unstack()[pd.unique(found[column])]
    titles = dict(enumerate(called(data, value) for value in texts))
    texts.columns = list(titles)  # until the end: a class may be called as another column is
    table = rows.merge(texts, how="left", left_on=head, right_index=True)
    table = table.merge(last, how="left", on=head).fillna("")
    for where in {"dataset", "test"} & set(head):
        table = table if always or several(table, where) else table.drop(columns=where)
    for entry in {"dataset", "method", "test"} & set(table):
        table[entry] = [name(data, value) for value in table[entry]]
    table = table.rename(columns=titles)
    if table.map(lambda cell: isinstance(cell, str) and MARK in cell).any(axis=None):
        table.attrs["legend"] = LEGEND
    return table
