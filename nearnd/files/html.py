"""A table as a page that sorts: what the report shows. Nothing in it asks the network."""

from html import escape
from pathlib import Path

import pandas as pd

from nearnd.files.arrays import replacing
from nearnd.files.tables import note_of, texts

STYLE = """\
body { font: 14px/1.4 system-ui, sans-serif; margin: 1.5em; color: #222; background: #fff; }
h1 { font-size: 1.15em; }
table { border-collapse: collapse; }
th { position: sticky; top: 0; background: #fff; border-bottom: 2px solid #444; padding: 0; }
th button { font: inherit; font-weight: 600; border: 0; background: none; cursor: pointer;
  padding: .35em .7em; text-align: left; }
th button:hover { background: #eee; }
th[aria-sort=ascending] button::after { content: " \\25B2"; }
th[aria-sort=descending] button::after { content: " \\25BC"; }
td { padding: .25em .7em; border-bottom: 1px solid #ddd; font-variant-numeric: tabular-nums; }
p { max-width: 60em; color: #444; }"""

# A click on a column sorts by it, a second one the other way round. By the number that a cell
# begins with ("98.2 ± 0.3"; of "< 0.001" that number), texts behind numbers, what is missing last
# either way; equal rows keep their order.
SCRIPT = """\
const NUMBER = /^[<>]?\\s*([+-]?\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?)(?=$|[\\s%(\\/])/i;
function rank(text) {
  const number = NUMBER.exec(text);
  if (number) return [0, parseFloat(number[1])];
  return /^(-|nan)?(\\s|$)/.test(text) ? [2, 0] : [1, text];
}
function compare(a, b, way) {
  if (a[0] !== b[0]) return a[0] === 2 || b[0] === 2 ? a[0] - b[0] : way * (a[0] - b[0]);
  if (a[0] === 1) return way * a[1].localeCompare(b[1], undefined, { numeric: true });
  return way * (a[1] - b[1]);
}
document.querySelectorAll("th").forEach((head, column, heads) => {
  head.querySelector("button").addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = document.querySelector("tbody");
    const rows = Array.from(body.rows, (row) => [rank(row.cells[column].textContent.trim()), row]);
    rows.sort((a, b) => compare(a[0], b[0], down ? -1 : 1));
    body.append(...rows.map(([, row]) => row));
  });
});"""


def to_html(table: pd.DataFrame, title: str, note: str = "") -> str:
    """The page: the table under its title, below it the note and what marks mean."""
    plain = texts(table, {})
    heads = "".join(f"<th><button>{escape(str(c))}</button></th>" for c in plain)
    rows = [
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row in plain.itertuples(index=False, name=None)
    ]
    below = [f"<p>{escape(part)}</p>" for part in note_of(table, note).split("\n\n") if part]
    return "\n".join([
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f"<title>{escape(title)}</title>\n<style>\n{STYLE}\n</style>\n</head>\n<body>",
        f"<h1>{escape(title)}</h1>\n<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>",
        *rows,
        "</tbody>\n</table>",
        *below,
        f"<script>\n{SCRIPT}\n</script>\n</body>\n</html>\n",
    ])  # fmt: skip


def save_page(path: str | Path, table: pd.DataFrame, title: str, note: str = "") -> None:
    """Writes the page."""
    with replacing(path) as part:
        part.write_text(to_html(table, title, note), encoding="utf-8")
