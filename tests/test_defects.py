"""Which kind of anomaly is found, and how certain that is."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from synthetic import experiment
from test_figures import draw

from nearnd.metrics.auroc import auroc
from nearnd.report.interval import interval


@pytest.mark.parametrize(("n", "m"), [(10, 5), (60, 20)])
@pytest.mark.parametrize("shift", [0, 1, 2.5])
def test_the_interval_holds_the_true_value_19_times_in_20(n, m, shift):
    rng, true, inside = np.random.default_rng(0), norm.cdf(shift / np.sqrt(2)), []
    for _ in range(400):
        value = np.r_[rng.normal(size=n), rng.normal(shift, size=m)]
        low, high = interval(auroc(value, np.arange(n + m) >= n), n, m)
        inside.append(low <= true <= high)
    assert 0.92 < np.mean(inside) < 0.99


def test_where_all_anomalies_are_found_the_interval_says_on_how_many_images():
    assert [interval(1, n, n)[1] for n in (1, 10, 100)] == [1, 1, 1]
    lows = [interval(1, n, n)[0] for n in (1, 10, 100)]
    assert lows[0] < 0.5 < lows[1] < lows[2] < 1
    assert interval(0, 8, 3) == pytest.approx([1 - x for x in interval(1, 8, 3)[::-1]])
    assert np.isnan(interval(0.5, 0, 3)).all()


@pytest.fixture
def own():
    """One normal class and three kinds of defects, one of them a single image."""
    run = {"dataset": "own", "normal": "good", "test": "test", "seed": 0, "metric": "auroc"}
    rows = [{**run, "method": method, "anomaly": anomaly, "value": value, "n_normal": 20,
             "n_anomaly": n}
            for method, off in (("a", 0.0), ("b", 0.1))
            for anomaly, value, n in (("rest", 0.9 - off, 41), ("scratch", 0.95 - off, 30),
                                      ("dent", 0.85 - off, 10),
                                      ("hole", 0.5 - off, 1))]  # fmt: skip
    return {"metrics": pd.DataFrame(rows), "labels": {}}


def test_each_kind_is_a_row_with_its_images(own):
    table = draw("defects", own)
    assert list(table) == ["anomaly", "a", "b", "normal images", "anomalies"]
    assert list(table["anomaly"]) == ["all anomalies", "scratch", "dent", "hole"]
    assert list(table["anomalies"]) == [41, 30, 10, 1]
    low, high = interval(0.95, 20, 30)
    assert table.loc[1, "a"] == f"95.0 ({100 * low:.0f} to {100 * high:.0f})"


def test_without_anomalies_it_says_so(own):
    table = draw("defects", own | {"metrics": own["metrics"][:0]})
    assert "no test image is an anomaly" in table.to_string()


def test_with_one_normal_class_nothing_is_called_far_or_near(own):
    table = draw("per_class", own)
    assert set(table["setting"]) == {"all anomalies", "hardest anomaly class"}
    several = draw("per_class", experiment(3, 2, 1))
    assert "far (one-vs-rest)" in set(several["setting"])


def test_a_number_on_few_images_shows_how_many(own):
    table = draw("methods", own).set_index("method")
    assert table.loc["a", "hardest anomaly class"] == "50.0 (n=1)"
    assert table.loc["a", "all anomalies"] == "90.0"


def test_roc_has_no_panel_for_a_closest_class_that_nobody_knows():
    data = experiment(3, 2, 1)
    alone = draw("roc", data | {"closeness": None})
    assert len([ax for ax in alone.axes if ax.get_visible()]) == 1
    assert len([ax for ax in draw("roc", data).axes if ax.get_visible()]) == 2
