"""DeLong's test: against its definition, against R's pROC, and under the null."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from nearnd.metrics.auroc import auroc
from nearnd.report import delong
from nearnd.report.interval import interval as newcombe

ASAH = Path(__file__).parent / "fixtures" / "asah.csv"


def by_definition(scores: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """AUROCs (K,) and their covariance (K, K) from all pairs of images, O(m n): psi is 1, 1/2 or 0;
    V10 and V01 are its means over normal images and over anomalies; S10 / m + S01 / n."""
    anomaly, normal = scores[:, y], scores[:, ~y]
    psi = (anomaly[:, :, None] > normal[:, None]) + 0.5 * (anomaly[:, :, None] == normal[:, None])
    v10, v01 = psi.mean(2), psi.mean(1)  # (K, m), (K, n)
    covariance = np.cov(v10) / v10.shape[1] + np.cov(v01) / v01.shape[1]
    return psi.mean((1, 2)), covariance


@pytest.fixture(params=["apart", "tied", "few", "far apart"])
def scored(request):
    """Scores (4, N) of four methods on the same images, and labels."""
    rng = np.random.default_rng(3)
    y = np.arange(160) % 3 == 0
    base = rng.normal(size=160) + y
    scores = base + rng.normal(size=(4, 160)) * np.array([[0.3], [0.6], [1], [2]])
    if request.param == "tied":
        scores = scores.round()
    elif request.param == "few":
        scores, y = scores[:, :7], y[:7]
    elif request.param == "far apart":
        scores = np.exp(40 * scores)  # 1e-60 to 1e70
    return scores, y


def test_agrees_with_the_definition(scored):
    scores, y = scored
    expected, covariance = by_definition(scores, y)
    found, parts = delong.components(scores, y)
    assert found == pytest.approx(expected, abs=1e-12)
    assert parts @ parts.T == pytest.approx(covariance, abs=1e-12)
    assert found == pytest.approx([auroc(row, y) for row in scores], abs=1e-14)
    for i, j in itertools.combinations(range(4), 2):
        error = np.sqrt(covariance[i, i] + covariance[j, j] - 2 * covariance[i, j])
        p = 2 * stats.norm.sf(abs(expected[i] - expected[j]) / error)
        assert delong.compare(scores[i], scores[j], y)[1] == pytest.approx(p, abs=1e-10)


def test_midranks_are_scipys(scored):
    rng = np.random.default_rng(0)
    for values in (scored[0], rng.integers(0, 4, (3, 2, 50)), np.zeros((2, 5)), np.array([3.0])):
        assert (delong.midranks(values) == stats.rankdata(values, axis=-1)).all()
    assert list(delong.midranks(np.array([np.inf, -np.inf, 0, np.inf]))) == [3.5, 1, 2, 3.5]


# Of pROC's own tests (tests/testthat/test-{var,cov,roc.test}.R), on its data aSAH
AUROCS = {"wfns": 0.8236789, "s100b": 0.7313686, "ndka": 0.6119580}
COVARIANCES = {
    ("wfns", "wfns"): 0.00146991470882363,
    ("ndka", "ndka"): 0.0031908105493913,
    ("s100b", "s100b"): 0.00266868245717244,
    ("wfns", "ndka"): -0.000532967856762438,
    ("ndka", "s100b"): -0.000756164938056579,
    ("s100b", "wfns"): 0.00119615567376754,
}
TESTS = {
    ("wfns", "s100b"): (2.20898359144091, 0.0271757822291882),
    ("wfns", "ndka"): (2.79777591868904, 0.00514557970691098),
    ("ndka", "s100b"): (-1.39077002573558, 0.164295175223054),
}


def test_agrees_with_r():
    table = pd.read_csv(ASAH)
    y = table["poor"].to_numpy(bool)
    names = list(AUROCS)
    found, parts = delong.components(table[names].to_numpy().T, y)
    assert found == pytest.approx(list(AUROCS.values()), abs=5e-8)
    covariance = pd.DataFrame(parts @ parts.T, names, names)
    for (a, b), value in COVARIANCES.items():
        assert covariance.loc[a, b] == pytest.approx(value, abs=1e-14)
    for (a, b), (z, p) in TESTS.items():
        difference, found_p = delong.compare(table[a].to_numpy(), table[b].to_numpy(), y)
        assert found_p == pytest.approx(p, abs=1e-10)
        assert np.sign(difference) == np.sign(z)


def test_agrees_with_another_package(scored):
    pauc = pytest.importorskip("pauc", reason="pauc, another implementation, is not installed")
    scores, y = scored
    a, b = (pauc.ROC(y.astype(int), row, direction="<") for row in scores[:2])
    theirs = pauc.compare(a, b, method="delong")
    difference, p = delong.compare(scores[0], scores[1], y)
    assert difference == pytest.approx(theirs.estimate, abs=1e-10)
    assert p == pytest.approx(theirs.p_value, abs=1e-10)


def test_the_bootstrap_agrees(scored):
    """The stratified bootstrap of SciPy resamples both groups; its error is DeLong's."""
    scores, y = scored
    if len(y) < 100:
        pytest.skip("a bootstrap of seven images is of few values")

    def area(normal, anomaly, axis):
        both = np.concatenate([normal, anomaly], axis=axis)
        m, n = anomaly.shape[axis], normal.shape[axis]
        ranks = stats.rankdata(both, axis=axis).take(range(n, n + m), axis=axis)
        return (ranks.sum(axis) - m * (m + 1) / 2) / (m * n)

    row = scores[1]
    found = stats.bootstrap((row[~y], row[y]), area, vectorized=True, n_resamples=4000,
                            method="percentile", rng=np.random.default_rng(0))  # fmt: skip
    value, parts = delong.components(row, y)
    error = np.linalg.norm(parts)
    assert error == pytest.approx(found.standard_error, rel=0.06)
    low, high = delong.interval(float(value), error)
    assert (low, high) == pytest.approx(tuple(found.confidence_interval), abs=0.015)
    assert (low, high) == pytest.approx(newcombe(value, (~y).sum(), y.sum()), abs=0.02)


# ---- raw scores ----


def test_scores_are_compared_as_they_are():
    """No clipping, no scaling, no rounding: the AUROC of huge scores, and of scores that differ in
    the seventh digit only, is that of their ranks."""
    rng = np.random.default_rng(0)
    y = rng.random(400) < 0.3
    order = rng.permutation(400) + 150 * y
    for scores in (1e300 * (1 + order / 1e3), -1e30 + 1e27 * order, 0.5 + 1e-7 * order,
                   1e-300 * (1 + order), 1 - 1e-7 * (900 - order)):  # fmt: skip
        assert auroc(scores, y) == auroc(order, y)
        found, parts = delong.components(scores, y)
        expected, others = delong.components(order, y)
        assert found == expected
        assert (parts == others).all()
    # float32, as scores are stored: one step of the seventh digit is an order, none is a tie
    one = np.float32(0.7)
    near = np.array([one, np.nextafter(one, np.float32(1))])
    assert auroc(near, np.array([False, True])) == 1
    assert auroc(near[[0, 0]], np.array([False, True])) == 0.5
    infinite = np.where(order > 500, np.inf, order)
    assert auroc(infinite, y) == pytest.approx(auroc(np.minimum(order, 501), y), abs=1e-15)


# ---- under the null ----

SIMULATIONS = 2000


@pytest.mark.parametrize("ties", [False, True], ids=["continuous", "with ties"])
@pytest.mark.parametrize(("normal", "anomalies"), [(100, 100), (60, 400)])
def test_equal_methods_are_told_apart_in_five_percent(normal, anomalies, ties):
    """Two methods are the same scores with noise of their own; the p values are uniform."""
    rng = np.random.default_rng(1)
    y = np.arange(normal + anomalies) >= normal
    same = rng.normal(size=(SIMULATIONS, len(y))) + 1.2 * y
    a, b = (same + 0.7 * rng.normal(size=same.shape) for _ in range(2))
    if ties:
        a, b = a.round(), b.round()
    p = delong.compare(a, b, y)[1]
    assert np.mean(p < 0.05) == pytest.approx(0.05, abs=0.01)
    assert np.mean(p < 0.5) == pytest.approx(0.5, abs=0.035)


def test_of_many_equal_methods_one_is_called_worse_in_five_percent():
    """The chance that any of nine is told from a tenth, named beforehand, is that of one test."""
    rng = np.random.default_rng(2)
    y = np.arange(200) >= 80
    wrong = 0
    for _ in range(SIMULATIONS):
        same = rng.normal(size=200) + y
        found = delong.components(same + rng.normal(size=(10, 200)), y)
        wrong += (delong.against(*found, best=0)[1] < 0.05).any()
    assert 0.03 < wrong / SIMULATIONS < 0.06  # the tests are dependent, so less than 5 % is right


def test_a_true_difference_is_found():
    rng = np.random.default_rng(4)
    y = np.arange(400) >= 200
    base = rng.normal(size=400) + 0.1 * rng.normal(size=(3, 400))
    scores = base + np.array([[2], [2], [1.5]]) * y
    found, parts = delong.components(scores, y)
    assert list(delong.ties(found, parts, 0)) == [True, True, False]


# ---- what cannot be told ----


def test_ties_of_equal_perfect_and_single_images():
    y = np.arange(20) >= 10
    rng = np.random.default_rng(0)
    perfect, chance = np.where(y, 5.0, 1) + rng.random(20), rng.random(20)
    found, parts = delong.components(np.stack([perfect, 2 * perfect, chance, chance]), y)
    assert list(found[:2]) == [1, 1]
    assert list(delong.ties(found, parts, 0)) == [True, True, False, False]
    difference, p = delong.against(found, parts, 2)
    assert difference[3] == 0
    assert p[3] == 1
    assert np.isnan(p[2])
    constant = np.stack([np.where(y, 1.0, 0), np.zeros(20)])  # both have no error
    assert list(delong.ties(*delong.components(constant, y), 0)) == [True, False]
    alone = y.copy()
    alone[:9] = True  # one normal image
    found, parts = delong.components(np.stack([perfect, chance]), alone)
    assert np.isnan(parts[:, ~alone]).all()
    assert list(delong.ties(found, parts, 0)) == [True, True]
    with pytest.raises(ValueError, match="0 normal images and 20 anomalies"):
        delong.components(chance, np.ones(20, bool))


def test_holm_by_hand():
    # 0.01 x 4, 0.02 x 3, then never less than one before: 0.03 x 2, 0.5
    assert delong.holm([0.02, 0.5, 0.01, 0.03]) == pytest.approx([0.06, 0.5, 0.04, 0.06])
    with_a_hole = delong.holm([0.02, np.nan, 0.01])
    assert with_a_hole == pytest.approx([0.04, np.nan, 0.03], nan_ok=True)
    assert len(delong.holm([])) == 0


def test_an_interval_stays_between_zero_and_one():
    low, high = delong.interval(0.8, 0.05)
    ends = stats.norm.interval(0.95, np.log(0.8 / 0.2), 0.05 / 0.16)
    assert (low, high) == pytest.approx([1 / (1 + np.exp(-end)) for end in ends], abs=1e-7)
    low, high = delong.interval(0.995, 0.01)
    assert 0.7 < low < 0.995 < high < 1
    assert np.isnan(delong.interval(1.0, 0.0)).all()
