"""What a run found, for the first page of its report: in a sentence, a figure and a table."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from nearnd.files.arrays import replacing
from nearnd.report import certainty, words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = {
    certainty.FAR: words.FAR,
    certainty.WORST: words.WORST,
    certainty.CLOSEST: words.CLOSEST,
}
LOOK = {certainty.FAR: ("o", "#8C8C8C"), certainty.WORST: ("s", "#D55E00"),
        certainty.CLOSEST: ("D", "#009E73")}  # fmt: skip
FONT = {"font.family": "DejaVu Sans", "font.size": 8.5, "text.parse_math": False,
        "legend.frameon": False}  # fmt: skip
PANELS, ROWS = 4, 60  # of the figure and of the table; the rest stands in summary.html
NOTHING = (
    "No test set held anomalies, so there is nothing to average; results/scores has the scores."
)
# Of snakemake's page, while this stands in it: wide enough for a table, begun at its top, and the
# graph of jobs below the words.
STYLE = """\
<style>
.prose.max-w-lg { max-width: 62rem; }
div.flex:has(> #rulegraph) { flex-direction: column; }
div.h-screen.overflow-auto { align-items: flex-start; }
.found { font-family: system-ui, sans-serif; }
.found table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.found th, .found td { padding: .2em .9em .2em 0; border-bottom: 1px solid #ddd; }
.prose h1 { font-size: 1.4em; margin: 1em 0 .4em; }
.prose img { margin: .5em 0; }
</style>"""


def whole_tests(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of whole test sets: of the slices of a corrupted one their mean alone, as the others
    would fill pages."""
    test = table["test"].str
    return table[~test.contains("/") | test.endswith("/mean")].reset_index(drop=True)


def by_test(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame, list[str]]]:
    """(its name, its rows, the metrics that say something) of each dataset and test set of a
    summary. Near says nothing where it is far again: one anomaly class."""
    rows = whole_tests(table[table["metric"].isin(list(SHOWN))])
    for (dataset, test), own in rows.groupby(["dataset", "test"], sort=False):
        wide = own.pivot(index="method", columns="metric", values="mean")
        metrics = [metric for metric in SHOWN if metric in wide]
        same = certainty.FAR in wide and all(wide[m].equals(wide[certainty.FAR]) for m in metrics)
        yield f"{dataset}: {test}", own, metrics[:1] if same else metrics


def cell(row: pd.Series) -> str:
    """A mean in percent, with its deviation and its interval where it has them."""
    sd = f" ± {100 * row['sd']:.1f}" if pd.notna(row["sd"]) else ""
    ends = f" ({100 * row['low']:.1f} to {100 * row['high']:.1f})" if pd.notna(row["low"]) else ""
    return f"{100 * row['mean']:.1f}{sd}{ends}"


def best(table: pd.DataFrame, labels: Mapping[str, str]) -> list[str]:
    """For each of the first test sets a sentence, and HTML of which method has the highest mean."""
    said = []
    for name, rows, metrics in list(by_test(table))[:PANELS]:
        lines = []
        for metric in metrics:
            row = rows.loc[rows.loc[rows["metric"] == metric, "mean"].idxmax()]
            text = f"{SHOWN[metric]}: {cell(row)} by {labels.get(row['method'], row['method'])}"
            lines.append(f"<li>{escape(text)}</li>")
        count = rows["method"].nunique()
        said.append(f"<p>{escape(name)}, {count} methods; the highest mean AUROC:</p>")
        said.append(f"<ul>{''.join(lines)}</ul>")
    return said


def draw(table: pd.DataFrame, labels: Mapping[str, str]) -> Figure:
    """One panel for each of the first test sets, one line for each method, in the order of the
    experiments: mean AUROC, with its interval over images."""
    from matplotlib import style
    from matplotlib.figure import Figure

    parts = list(by_test(table))[:PANELS]
    names = list(dict.fromkeys(m for _, rows, _ in parts for m in rows["method"]))
    with style.context(["default", FONT]):
        size = (2.6 + 3.4 * max(len(parts), 1), 0.9 + 0.24 * max(len(names), 2))
        drawn = Figure(figsize=size, layout="constrained")
        if not parts:
            drawn.text(0.5, 0.5, NOTHING, ha="center", va="center", wrap=True)
            return drawn
        shown = dict.fromkeys(m for _, _, metrics in parts for m in metrics)
        for ax, (name, rows, metrics) in zip(
            drawn.subplots(1, len(parts), sharey=True, squeeze=False)[0], parts, strict=True
        ):
            for i, metric in enumerate(metrics):
                own = rows[rows["metric"] == metric].set_index("method").reindex(names)
                at = [line + 0.2 * (i - (len(metrics) - 1) / 2) for line in range(len(names))]
                ends = [(own["mean"] - own["low"]).fillna(0), (own["high"] - own["mean"]).fillna(0)]
                mark, colour = LOOK[metric]
                ax.errorbar(100 * own["mean"], at, xerr=[100 * end for end in ends],
                            fmt=mark, color=colour, markersize=4, elinewidth=1)  # fmt: skip
            ax.set_title(name, fontsize=9)
            ax.set_xlabel("AUROC (%)")
            ax.set_yticks(range(len(names)), [labels.get(m, m) for m in names])
            ax.grid(axis="x", color="#E3E3E3", linewidth=0.6)
            ax.spines[["top", "right"]].set_visible(False)
        ax.set_ylim(len(names) - 0.5, -0.5)  # the first method on top
        marks = [ax.plot([], [], LOOK[m][0], color=LOOK[m][1], label=SHOWN[m])[0] for m in shown]
        drawn.legend(handles=marks, loc="outside lower center", ncols=len(marks))
    return drawn


def write(table: pd.DataFrame, labels: Mapping[str, str], picture: bytes) -> str:
    """HTML that stands in the report's first page, and by itself. picture: the figure, PNG."""
    parts, head = list(by_test(table)), ['<meta charset="utf-8">', STYLE, '<div class="found">',
                                         "<h1>What this run found</h1>"]  # fmt: skip
    if not parts:
        return "\n".join([*head, f"<p>{NOTHING}</p>", "</div>\n"])
    rows = []
    for name, own, metrics in parts:
        for method, found in own.groupby("method", sort=False):
            cells = {SHOWN[r["metric"]]: cell(r) for _, r in found.iterrows()
                     if r["metric"] in metrics}  # fmt: skip
            facts = {"test set": name, "method": labels.get(method, method)}
            rows.append(facts | cells | {"images": found["images"].iloc[0]})
    columns = ["test set", "method", *SHOWN.values(), "images"]
    wide = pd.DataFrame(rows).reindex(columns=columns).dropna(axis="columns", how="all").fillna("")
    of = f"The first {PANELS} of {len(parts)} test sets. " if len(parts) > PANELS else ""
    more = f"The first {ROWS} of {len(wide)} rows. " if len(wide) > ROWS else ""
    return "\n".join([
        *head, *best(table, labels),
        '<img alt="AUROC of every method" src="data:image/png;base64,'
        + base64.b64encode(picture).decode() + '">',
        f"<p>{of}Bars: 95 % intervals over images, where there are some.</p>",
        wide.head(ROWS).to_html(index=False, border=0, justify="left"),
        f"<p>{more}In percent; ± over seeds, in brackets 95 % over images; images: of the smaller"
        " of the two groups, on few a number says little. Other metrics stand in Summary.</p>",
        "</div>\n",
    ])  # fmt: skip


def save(table: pd.DataFrame, labels: Mapping[str, str], *, figure: str, page: str) -> None:
    """Writes the figure (PNG) and the page with it in it."""
    drawn = io.BytesIO()
    draw(table, labels).savefig(drawn, format="png", dpi=110)
    text = write(table, labels, drawn.getvalue())
    for path, content in ((figure, drawn.getvalue()), (page, text.encode())):
        with replacing(path) as part:
            Path(part).write_bytes(content)
