"""What users call their classes stands in every table and figure as it is."""

import io
import re

import pandas as pd
import pytest
from matplotlib.text import Text
from synthetic import experiment
from test_figures import FIGURES, draw

from nearnd.files import tables
from nearnd.jobs.job import job_name

ODD = ["$5_to_$10", r"x^2~{y}\new", "a|b *c* _d_ `e`", "[f](g) <b>h</b> & #1 100%", "007", "1e5",
       "*", "[i]", "--j", "NA", "k\nl\tm"]  # fmt: skip


def printed(name: str) -> str:
    """The same name where a line break has no place."""
    return "".join(c if c.isprintable() else " " for c in name)


@pytest.fixture(scope="module")
def odd() -> dict:
    data = experiment(4, 3, 1, per_class=10)
    names = {f"class {c}": name for c, name in enumerate(ODD[:5])}
    names |= {f"method{m}": name for m, name in enumerate(ODD[5:8])}
    return data | {"labels": names}


@pytest.mark.parametrize("kind", FIGURES)
def test_figures_show_names_as_they_are(kind, odd):
    figure = draw(kind, odd)
    figure.savefig(io.BytesIO(), format="png")  # mathematics that cannot be read fails here
    figure.savefig(io.BytesIO(), format="pdf")
    texts = figure.findobj(Text)
    assert not any(text.get_parse_math() for text in texts if text.get_text() in ODD)
    assert not any("mathdefault" in text.get_text() for text in texts)  # ticks are plain numbers


def cells(markdown: str) -> list[list[str]]:
    """The cells of a Markdown table, read as GitHub reads it."""
    rows = []
    for line in markdown.splitlines():
        parts = re.split(r"(?<!\\)(?:\\\\)*\|", line)
        assert parts[0] == parts[-1] == "", line
        rows.append([re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", part.strip()) for part in parts[1:-1]])
    return rows


def test_markdown_has_every_name_in_a_cell_of_its_own():
    table = pd.DataFrame({"class": ODD, ODD[2]: [f"{i}.0" for i in range(len(ODD))], "n": 3.0})
    head, _, *rows = cells(tables.to_markdown(table).rstrip("\n"))
    assert head == ["class", ODD[2], "n"]
    assert [row[0] for row in rows] == [printed(name) for name in ODD]
    assert [row[1] for row in rows] == [f"{i}.0" for i in range(len(ODD))]
    raw = tables.to_markdown(table)
    assert not re.search(r"(?<!\\)[<*`_\[$]", raw.replace("\\\\", ""))  # nothing is marked up


def test_latex_reads_no_name_as_a_command():
    table = pd.DataFrame({"class": [*ODD, "a ± b"], "$5": 1})
    text = tables.to_latex(table, "a note\nin two lines")
    body = text.partition(r"\toprule")[2].partition(r"\bottomrule")[0]
    rows = [row.strip() for row in body.replace("\\midrule\n", "").split("\\\\\n")]
    assert len(rows) == len(ODD) + 3  # the head, its rule, and nothing broken in two
    assert not any(row.startswith(("[", "*")) for row in rows)  # those would belong to \\
    plain = {r"\textbackslash{}": "\\", r"\textasciicircum{}": "^", r"\textasciitilde{}": "~",
             r"\textbar{}": "|", r"\textless{}": "<", r"\textgreater{}": ">",
             r"$\pm$": "±"}  # fmt: skip
    for name in [*ODD, "a ± b"]:
        assert any(read(row.split(" & ")[0], plain) == printed(name) for row in rows), name
    assert text.endswith("% a note in two lines\n")


def read(text: str, commands: dict[str, str]) -> str:
    """What LaTeX would print."""
    pattern = "|".join(re.escape(command) for command in commands)
    parts = re.split(f"({pattern})", text)
    return "".join(
        commands.get(part) or re.sub(r"\\([%&_#${}])|\{(.)\}", r"\1\2", part) for part in parts
    )


def test_a_job_is_called_in_one_line_whatever_its_class_is_called():
    assert job_name("bank", {"normal": "a\nb\x1b[2J"}) == "bank a?b?[2J"
