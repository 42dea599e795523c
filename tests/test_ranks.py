"""Methods compared by ranks: by hand, by another package, and under the null."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from synthetic import experiment, united

from nearnd.report import delong, ranks, summary
from nearnd.tables_figures import critical_difference
from nearnd.tables_figures import ranks as table_of_ranks

# AUROC of four classifiers (C4.5 and parameters of it) on fourteen sets: Demšar (2006), table 6
DEMSAR = np.array([
    [0.763, 0.768, 0.771, 0.798], [0.599, 0.591, 0.590, 0.569], [0.954, 0.971, 0.968, 0.967],
    [0.628, 0.661, 0.654, 0.657], [0.882, 0.888, 0.886, 0.898], [0.936, 0.931, 0.916, 0.931],
    [0.661, 0.668, 0.609, 0.685], [0.583, 0.583, 0.563, 0.625], [0.775, 0.838, 0.866, 0.875],
    [1.000, 1.000, 1.000, 1.000], [0.940, 0.962, 0.965, 0.962], [0.619, 0.666, 0.614, 0.669],
    [0.972, 0.981, 0.9751, 0.975], [0.957, 0.978, 0.946, 0.970],
])  # fmt: skip


def test_the_example_of_demsar():
    """His mean ranks, chi-square 9.28 of Friedman's test and critical difference 1.25."""
    assert ranks.mean_ranks(DEMSAR) == pytest.approx([3.143, 2.0, 2.893, 1.964], abs=5e-4)
    assert ranks.critical_difference(14, 4) == pytest.approx(1.25, abs=0.005)
    # his is not corrected for ties: three pairs (2^3 - 2) and one of all four (4^3 - 4)
    ties = 1 - (3 * 6 + 60) / (14 * (4**3 - 4))
    assert ranks.friedman(DEMSAR) == pytest.approx(stats.chi2.sf(9.28 / ties, 3), abs=1e-4)


@pytest.mark.parametrize("methods", [3, 5, 10])
def test_critical_differences_have_the_published_q(methods):
    """Demšar's table 5 (a): q of Nemenyi's test at 5 %."""
    q = {3: 2.343, 5: 2.728, 10: 3.164}[methods]
    found = ranks.critical_difference(6, methods)
    assert found == pytest.approx(q * np.sqrt(methods * (methods + 1) / 36), abs=2e-3)


def test_equal_values_share_their_ranks():
    values = np.array([[0.9, 0.9, 0.5], [0.1 + 0.2, 0.3, 0.7]])  # 0.30000000000000004 is 0.3
    assert list(ranks.mean_ranks(values)) == [2.0, 2.0, 2.0]
    assert ranks.friedman(np.full((5, 3), 0.9)) == 1
    assert list(ranks.signed_rank(np.full((5, 3), 0.9), 0)[1:]) == [1, 1]


def test_signed_rank_by_hand():
    """The first is best in all of eight sets: of 2^8 signs two are as extreme, for each of three
    tests; and the least p that eight sets can give."""
    values = np.arange(8)[:, None] / 100 + np.array([0.8, 0.5, 0.6, 0.7])
    values[:, 1:] -= np.arange(8)[:, None] / 1000  # no two differences are equal
    p = ranks.signed_rank(values, 0)
    assert np.isnan(p[0])
    assert p[1:] == pytest.approx(3 * 2 / 256)
    assert ranks.least(8, 4) == 3 * 2 / 256
    assert ranks.least(2, 11) == 1


def test_holm_agrees_with_statsmodels():
    rng = np.random.default_rng(0)
    for _ in range(50):
        p = rng.random(rng.integers(1, 12)) ** 3
        expected = multipletests(p, method="holm")[1]
        assert delong.holm(p) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize(("blocks", "methods"), [(3, 2), (1, 5)])
def test_too_little_to_compare_is_said(blocks, methods):
    with pytest.raises(ValueError, match=f"{methods} methods in {blocks} blocks"):
        ranks.friedman(np.random.default_rng(0).random((blocks, methods)))


def test_under_the_null_the_tests_reject_in_five_percent():
    """AUROCs of sets of unlike difficulty, with noise of each method's own: 2,000 times."""
    rng = np.random.default_rng(0)
    sets = rng.uniform(0.6, 1, (2000, 20, 1))
    values = sets + 0.02 * rng.normal(size=(2000, 20, 4))
    rejected = np.mean([ranks.friedman(v) < 0.05 for v in values])
    assert rejected == pytest.approx(0.05, abs=0.01)
    rejected = np.mean([ranks.signed_rank(v[:, :2], 0)[1] < 0.05 for v in values])
    assert rejected == pytest.approx(0.05, abs=0.01)
    apart = np.ptp(ranks.mean_ranks(values), axis=1) > ranks.critical_difference(20, 4)
    assert np.mean(apart) == pytest.approx(0.05, abs=0.01)


# ---- the table and the figure ----


@pytest.fixture(scope="module")
def data() -> dict:
    return experiment(classes=10, methods=4, seeds=2)


def test_the_table_ranks_the_means_over_seeds(data):
    found = table_of_ranks.build()(data)
    far = found[found["setting"] == "far (one-vs-rest)"].reset_index()
    wide = summary.one_vs_rest(data["metrics"]).pivot_table("value", "normal", "method")
    expected = wide.rank(axis=1, ascending=False).mean().sort_values()
    assert list(far["mean rank"]) == [f"{rank:.2f}" for rank in expected]
    assert list(far["method"]) == [data["labels"][method] for method in expected.index]
    best, last = wide[expected.index[0]], wide[expected.index[-1]]
    counts = [(last > best).sum(), (last == best).sum(), (last < best).sum()]
    assert far["above/equal/below"].iloc[-1] == "/".join(map(str, counts))
    assert (far["classes"] == 10).all()
    assert far["Wilcoxon's p"].iloc[-1] == "0.0059"  # 3 x 2 / 2^10: below in all ten
    assert list(far["Friedman's p"] == "") == [False, True, True, True]


def test_bars_join_what_is_closer_than_the_critical_difference(data):
    figure = critical_difference.build()(data)
    assert [ax.get_title().split(":")[0] for ax in figure.axes] == [
        "far (one-vs-rest)", "near (bottom-1)", "near (closest class)"]  # fmt: skip
    ax = figure.axes[0]
    wide = summary.one_vs_rest(data["metrics"]).pivot_table("value", "normal", "method")
    expected = np.sort(ranks.mean_ranks(wide.to_numpy()))
    assert sorted(point.get_offsets()[0][0] for point in ax.collections) == pytest.approx(expected)
    *bars, ruler = (line.get_xdata() for line in ax.lines if line.get_linewidth() == 2.5)
    cd = ranks.critical_difference(10, 4)
    assert np.ptp(ruler) == pytest.approx(cd)
    joined = {tuple(sorted(np.round(bar, 9))) for bar in bars}
    groups = {
        tuple(np.round(expected[(expected >= low) & (expected < low + cd)], 9)) for low in expected
    }
    longest = {g for g in groups if len(g) > 1 and not any(set(g) < set(other) for other in groups)}
    assert joined == longest
    assert len(joined) > 0


def test_over_datasets_a_dataset_is_one_block(data):
    both = united(experiment(3, 3, 2), experiment(2, 4, 2))
    found = table_of_ranks.build(over="datasets")(both)
    assert "dataset" not in found
    assert set(found["method"]) == {"Method 0", "Method 1", "Method 2"}  # the fourth ran in one
    assert (found["datasets"] == 2).all()
    assert "2 datasets" in critical_difference.build(over="datasets")(both).axes[0].get_title()
    with pytest.raises(ValueError, match="over: datasets: ranks take two datasets or more"):
        table_of_ranks.build(over="datasets")(data)


def test_methods_are_named_as_elsewhere_also_twice(data):
    twice = data | {"labels": data["labels"] | {"method0": "Same", "method1": "Same"}}
    ax = critical_difference.build()(twice).axes[0]
    words = [text.get_text().split(" (")[0] for text in ax.texts if "CD" not in text.get_text()]
    assert sorted(words) == ["Method 2", "Method 3", "Same", "Same"]
    assert isinstance(table_of_ranks.build()(twice), pd.DataFrame)
