"""What held-out images promise for new ones holds exactly, whatever their scores are."""

import math

import numpy as np
import pytest

from nearnd.report.conformal import (
    Decision,
    anomalous,
    drift,
    p_values,
    promise,
    steps,
    threshold,
)


@pytest.mark.parametrize("n", [5, 19, 20, 99, 1000])
@pytest.mark.parametrize("alpha", [200, 50])
def test_new_normal_images_exceed_the_threshold_no_more_often_than_promised(n, alpha):
    """Exactly: among n + 1 exchangeable scores the new one has each rank with equal chance."""
    ranks = np.arange(1, n + 2)
    exceeds = [
        new > threshold(np.delete(ranks, new - 1).astype(float), Decision(alpha)) for new in ranks
    ]
    assert np.mean(exceeds) <= alpha / 1000 + 1e-12
    if n >= 19:  # and it is not needlessly high
        assert np.mean(exceeds) > alpha / 1000 - 1.01 / (n + 1)


@pytest.mark.parametrize("delta", [None, 0.1])
@pytest.mark.parametrize("alpha", [10, 50, 100, 333])
def test_above_the_threshold_is_where_the_p_value_is_small(alpha, delta):
    rng = np.random.default_rng(0)
    for n in (1, 30, 200):
        held_out = rng.integers(0, 40, n).astype(float)  # with ties
        new = np.arange(-1.0, 42)
        how = Decision(alpha, delta)
        called = anomalous(p_values(held_out, new, delta), how)
        assert (called == (new > threshold(held_out, how))).all()


def test_p_values_of_held_out_images_are_their_ranks():
    held_out = np.random.default_rng(0).random(12).astype(np.float32)
    found = p_values(held_out, np.sort(held_out))
    assert np.allclose(found, np.arange(13, 1, -1) / 13)


def test_too_few_images_promise_nothing_and_say_what_would_help():
    assert threshold(np.arange(18.0), Decision(50)) == math.inf
    assert threshold(np.arange(19.0), Decision(50)) == 18
    assert "takes 19." in promise(np.arange(18.0), Decision(50))
    assert "takes 90." in promise(np.arange(18.0), Decision(50, delta=0.1))
    assert steps(89, 0.1)[0] > 0.05 >= steps(90, 0.1)[0]
    for n in range(1, 300):  # the number that is proposed works
        said = promise(np.arange(float(n)), Decision(0.1))
        assert "above the threshold" in said
        assert threshold(np.arange(float(n)), Decision(float(said.split()[-1]))) < math.inf


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((0,), "alpha is 0; it may be a number between 0 and 1000"),
        ((1000,), "alpha is 1000"),
        ((50, 1.5), "delta is 1.5; it may be a number between 0 and 1"),
        ((50, None, -0.1), "fdr is -0.1"),
        ((float("nan"),), "alpha is nan"),
    ],
)
def test_a_decision_that_cannot_be_is_a_sentence(given, words):
    with pytest.raises(ValueError, match=words):
        Decision(*given).check()


def test_the_range_is_that_of_models_with_so_many_held_out_images():
    rng = np.random.default_rng(0)
    above = [1 - threshold(rng.random(20), Decision(50)) for _ in range(20_000)]  # uniform scores
    low, high = 1000 * np.quantile(above, [0.05, 0.95])
    words = promise(np.arange(20.0), Decision(50)).split(" it is ")[1].split()
    assert float(words[0]) == pytest.approx(low, abs=2)
    assert float(words[2]) == pytest.approx(high, abs=4)


@pytest.mark.parametrize("n", [10, 50, 101, 400])
@pytest.mark.parametrize("delta", [0.05, 0.2])
def test_conditional_p_values_are_broken_by_delta_of_all_held_out_sets(n, delta):
    """Simes' inequality is an equality for uniform scores: of held-out sets a share delta has any
    p-value that new normal images undercut more often than it says."""
    rng, promised = np.random.default_rng(n), steps(n, delta)
    assert (np.diff(promised) >= 0).all()
    assert promised[-1] == 1
    held_out = np.sort(rng.random((4000, n)), axis=1)
    # a new score exceeds all but j held-out ones with the probability 1 - (the (n - j)-th smallest)
    truly = np.concatenate([1 - held_out[:, ::-1], np.ones((4000, 1))], axis=1)  # (4000, n + 1)
    broken = (truly > promised + 1e-12).any(axis=1).mean()
    assert broken == pytest.approx(delta, abs=3.5 * math.sqrt(delta * (1 - delta) / 4000))


def test_conditional_p_values_equal_the_formula_term_by_term():
    """Bates et al. (2023), eq. for b_i: 1 - delta^(1/k) (i ... (i-k+1) / (n ... (n-k+1)))^(1/k)."""
    n, k, delta = 9, 4, 0.1
    for j, found in enumerate(steps(n, delta)[:-1]):
        i = n - j
        ratio = math.prod((i - m) / (n - m) for m in range(k)) if i >= k else 0
        assert found == pytest.approx(1 - (delta * ratio) ** (1 / k), abs=1e-12)


@pytest.mark.parametrize("fdr", [0.1, 0.2])
def test_the_list_of_discoveries_has_no_more_false_ones_than_promised(fdr):
    rng, false, found = np.random.default_rng(0), [], []
    for _ in range(1500):
        new = np.concatenate([rng.normal(size=80), rng.normal(4, 1, size=20)])
        called = anomalous(p_values(rng.normal(size=500), new), Decision(fdr=fdr))
        false.append(called[:80].sum() / max(1, called.sum()))
        found.append(called[80:].mean())
    error = np.std(false) / math.sqrt(len(false))
    assert np.mean(false) <= fdr * 0.8 + 3 * error  # 80 of 100 are normal
    assert np.mean(false) >= 0.5 * fdr
    assert np.mean(found) > 0.8


def test_a_list_needs_several_discoveries_where_few_are_held_out():
    held_out = np.arange(49.0)  # the smallest p-value is 1/50
    assert "at least 20 have to" in promise(held_out, Decision(fdr=0.1))
    assert "none can be" in promise(held_out, Decision(fdr=0.01))
    for high, called in ((19, 0), (20, 20)):
        new = np.concatenate([np.full(high, 100.0), np.full(100 - high, -1.0)])
        assert anomalous(p_values(held_out, new), Decision(fdr=0.1)).sum() == called
    assert anomalous(np.zeros(0), Decision(fdr=0.1)).shape == (0,)


def test_the_drift_alarm_is_silent_on_normal_images_and_rings_on_a_shift():
    rng = np.random.default_rng(0)
    rings = [bool(drift(rng.normal(size=100), rng.normal(size=60))) for _ in range(2000)]
    assert np.mean(rings) <= 0.001 + 3.5 * math.sqrt(0.001 / 2000)
    shifted = [bool(drift(rng.normal(size=100), rng.normal(1, 1, size=60))) for _ in range(100)]
    assert np.mean(shifted) > 0.9
    assert "above" in drift(np.arange(30.0), np.arange(30.0) + 40)
    assert "below" in drift(np.arange(30.0), np.arange(30.0) - 40)
    few = [bool(drift(rng.normal(size=200), np.append(rng.normal(size=95), [9.0] * 5)))
           for _ in range(200)]  # fmt: skip
    assert np.mean(few) <= 0.02  # five anomalies in a hundred are no drift
    assert drift(np.arange(30.0), np.full(19, 99.0)) == ""
