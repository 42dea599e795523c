"""Tables as pages: all that the table says is there, nothing is asked of the network, and a click
on a column sorts by it."""

import json
import re
import shutil
import subprocess

import pandas as pd
import pytest

from nearnd.files.html import SCRIPT, to_html

TABLE = pd.DataFrame({
    "method": ["b", "<b>", "a & c", "k = 10", "k = 2"],
    "AUROC": ["98.2 ± 0.3 •", "-  (a) [91.2]", "100.0", "9.5 (9.0 to 10.1)", "< 0.001"],
})  # fmt: skip
# What a browser gives the script: heads with buttons, rows of cells. The body prints its order.
BROWSER = """
const rows = %s.map((cells) => ({ cells: cells.map((textContent) => ({ textContent })) }));
const heads = rows[0].cells.map(() => {
  const facts = {};
  return {
    click: null,
    querySelector() { return { addEventListener: (_, act) => { this.click = act; } }; },
    getAttribute: (name) => facts[name] ?? null,
    setAttribute: (name, value) => { facts[name] = value; },
    removeAttribute: (name) => { delete facts[name]; },
  };
});
const body = { rows, append(...order) { this.rows = order; } };
const document = { querySelectorAll: () => heads, querySelector: () => body };
"""


def test_a_page_has_every_cell_and_what_stands_below():
    table = TABLE.copy()
    table.attrs["legend"] = "• the best"
    page = to_html(table, "one & all", "A note.\n\n(a) no data")
    assert re.findall(r"<th><button>(.*?)</button>", page) == ["method", "AUROC"]
    assert re.findall(r"<td>(.*?)</td>", page)[:4] == [
        "b", "98.2 ± 0.3 •", "&lt;b&gt;", "-  (a) [91.2]"]  # fmt: skip
    assert re.findall(r"<p>(.*?)</p>", page) == ["A note.", "(a) no data", "• the best"]
    assert "<h1>one &amp; all</h1>" in page
    assert page.count("</tr>") == 6


def test_a_page_asks_nobody():
    page = to_html(TABLE, "t")
    assert not re.search(r"https?:|src=|href=|@import|url\(", page)


@pytest.mark.skipif(shutil.which("node") is None, reason="no JavaScript engine here")
@pytest.mark.parametrize(
    ("clicks", "order"),
    [
        ([1], [4, 3, 0, 2, 1]),  # by the first number; what is missing is last
        ([1, 1], [2, 0, 3, 4, 1]),  # and the other way round it is last too
        ([0], [1, 2, 0, 4, 3]),  # k = 2 before k = 10
        ([1, 0, 1], [4, 3, 0, 2, 1]),  # another column between begins anew
    ],
)
def test_a_click_sorts(clicks, order):
    cells = TABLE.to_numpy().tolist()
    act = "".join(f"heads[{column}].click();" for column in clicks)
    show = "console.log(JSON.stringify(body.rows.map((r) => r.cells.map((c) => c.textContent))));"
    code = BROWSER % json.dumps(cells) + SCRIPT + act + show
    done = subprocess.run(["node", "-e", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [cells[i] for i in order]
