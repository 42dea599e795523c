"""The first page of a report: what is highest is said, all rows are there, nothing is asked of the
network, and names that look like HTML stay names."""

import re

import numpy as np
import pandas as pd
import pytest

from nearnd.report import found

FAR, WORST, CLOSEST = found.SHOWN
LABELS = {"a": "A <b>", "b": "B"}


def summary(tests=("test",), methods=("a", "b"), near=0.1):
    """Method b is the better one by far, a by near."""
    rows = []
    for test in tests:
        for i, method in enumerate(methods):
            far = 0.8 + 0.05 * i
            values = {FAR: far, WORST: far - near * (1 + i), CLOSEST: far - near, "fpr95": 0.3}
            for metric, mean in values.items():
                rows.append({"dataset": "d", "method": method, "test": test, "metric": metric,
                             "mean": mean, "sd": np.nan, "images": 35, "low": mean - 0.02,
                             "high": mean + 0.01})  # fmt: skip
    return pd.DataFrame(rows)


def cells(page):
    rows = re.findall(r"<tr>(.*?)</tr>", page, re.S)
    return [re.findall(r"<td>(.*?)</td>", row) for row in rows if "<td>" in row]


def test_the_highest_is_said_and_every_row_is_there():
    page = found.write(summary(), LABELS, b"png")
    assert re.findall(r"<li>(.*?)</li>", page) == [
        "far (one-vs-rest): 85.0 (83.0 to 86.0) by B",
        "near (bottom-1): 70.0 (68.0 to 71.0) by A &lt;b&gt;",
        "near (closest class): 75.0 (73.0 to 76.0) by B",
    ]
    assert cells(page)[0] == ["d: test", "A &lt;b&gt;", "80.0 (78.0 to 81.0)",
                              "70.0 (68.0 to 71.0)", "70.0 (68.0 to 71.0)", "35"]  # fmt: skip
    assert len(cells(page)) == 2
    assert "data:image/png;base64,cG5n" in page
    assert not re.search(r"https?:|@import|<script", page)


def test_rows_of_several_experiments_may_have_the_same_number():
    table = summary()
    table.index = [0] * len(table)
    assert found.write(table, LABELS, b"png") == found.write(summary(), LABELS, b"png")


def test_a_deviation_over_seeds_stands_beside_the_mean_and_no_interval_is_made_up():
    table = summary().assign(sd=0.012, low=np.nan)
    assert cells(found.write(table, {}, b""))[1][2] == "85.0 ± 1.2"


def test_near_is_left_out_where_it_is_far_again():
    page = found.write(summary(near=0.0), LABELS, b"")
    assert "near" not in page
    assert len(cells(page)[0]) == 4


def test_slices_of_corrupted_images_are_left_out_and_long_runs_cut_and_both_is_said():
    tests = ["test", "c.test/fog/3", "c.test/fog", "c.test/mean", *(f"o{i}.test" for i in range(9))]
    names = [f"m{i}" for i in range(8)]
    page = found.write(summary(tests, names), {}, b"")
    assert "fog" not in page
    assert "d: c.test/mean" in page
    assert "The first 4 of 11 test sets" in page
    assert f"The first {found.ROWS} of 88 rows" in page
    assert len(cells(page)) == found.ROWS


@pytest.mark.parametrize("tests", [(), ("test",), [f"t{i}.test" for i in range(6)]])
def test_the_figure_has_a_panel_for_each_test_set_and_a_line_for_each_method(tests):
    table = summary(tests) if tests else summary().head(0)
    figure = found.draw(table, LABELS)
    assert len(figure.axes) == min(len(tests), found.PANELS)
    for ax in figure.axes[:1]:
        assert [label.get_text() for label in ax.get_yticklabels()] == ["A <b>", "B"]
        x = np.concatenate([np.atleast_1d(line.get_xdata()) for line in ax.lines]).astype(float)
        assert {80.0, 85.0, 70.0, 65.0} <= set(np.round(x, 6))
    if not tests:
        assert found.NOTHING in found.write(table, LABELS, b"")
        assert figure.texts[0].get_text() == found.NOTHING
