"""Metrics: values worked by hand, scikit-learn's, and what happens when the sign turns."""

import numpy as np
import pytest

from nearnd.metrics import aupr_anomaly, aupr_normal, auroc, fpr95

METRICS = {
    "auroc": auroc.build(),
    "aupr_anomaly": aupr_anomaly.build(),
    "aupr_normal": aupr_normal.build(),
    "fpr95": fpr95.build(),
}


def labels(*values: int) -> np.ndarray:
    return np.array(values, bool)


@pytest.fixture(params=range(5))
def tied(request):
    """Scores with many ties, and labels."""
    rng = np.random.default_rng(request.param)
    y = rng.random(200) < 0.3
    return rng.integers(0, 12, 200) + 2.0 * y, y


def test_auroc_by_hand():
    # pairs (anomaly, normal): 3>1, 3>2, 2>1, 2=2 -> 3.5 of 4
    assert METRICS["auroc"](np.array([1, 2, 2, 3.0]), labels(0, 0, 1, 1)) == 3.5 / 4


def test_auroc_is_a_half_if_all_scores_tie():
    assert METRICS["auroc"](np.full(7, 3.3), labels(0, 1, 0, 0, 1, 0, 0)) == 0.5


def test_agree_with_scikit_learn(tied):
    from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

    score, y = tied
    assert METRICS["auroc"](score, y) == pytest.approx(roc_auc_score(y, score), abs=1e-12)
    expected = average_precision_score(y, score)
    assert METRICS["aupr_anomaly"](score, y) == pytest.approx(expected, abs=1e-12)
    expected = average_precision_score(~y, -score)
    assert METRICS["aupr_normal"](score, y) == pytest.approx(expected, abs=1e-12)
    false, true, _ = roc_curve(~y, -score, drop_intermediate=False)
    assert METRICS["fpr95"](score, y) == pytest.approx(false[true >= 0.95].min(), abs=1e-12)


def test_turning_the_sign_turns_auroc_around(tied):
    score, y = tied
    area = METRICS["auroc"](score, y)
    assert METRICS["auroc"](-score, y) == pytest.approx(1 - area, abs=1e-12)
    assert METRICS["auroc"](score, ~y) == pytest.approx(1 - area, abs=1e-12)


def test_only_the_order_of_scores_counts(tied):
    score, y = tied
    for metric in METRICS.values():
        assert metric(np.exp(score), y) == metric(score, y)


def test_higher_is_more_anomalous():
    score, y = np.array([0, 1, 2, 3.0]), labels(0, 0, 1, 1)
    assert METRICS["auroc"](score, y) == 1
    assert METRICS["aupr_anomaly"](score, y) == METRICS["aupr_normal"](score, y) == 1
    assert METRICS["fpr95"](score, y) == 0
    assert METRICS["fpr95"](-score, y) == 1


def test_the_two_auprs_differ_in_their_positive_class():
    score, y = np.zeros(10), labels(1, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    assert METRICS["aupr_anomaly"](score, y) == pytest.approx(0.1)
    assert METRICS["aupr_normal"](score, y) == pytest.approx(0.9)


def test_fpr95_by_hand():
    # 20 normal images 1..20: to accept 19 of them t = 19; 5 and 19 pass, 19.5 and 30 do not
    score = np.concatenate([np.arange(1, 21), [5, 19, 19.5, 30]])
    y = labels(*[0] * 20, *[1] * 4)
    assert METRICS["fpr95"](score, y) == 0.5
    # with 21 normal images 95 % are 19.95, so 20 must pass
    score = np.concatenate([np.arange(1, 22), [19.5, 20.5]])
    assert METRICS["fpr95"](score, labels(*[0] * 21, 1, 1)) == 0.5


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_bad_input_is_named(metric):
    with pytest.raises(ValueError, match="3 normal images and 0 anomalies"):
        metric(np.arange(3.0), labels(0, 0, 0))
    with pytest.raises(ValueError, match="0 normal images and 2 anomalies"):
        metric(np.arange(2.0), labels(1, 1))
    with pytest.raises(ValueError, match="1 of 3 scores are NaN"):
        metric(np.array([1, np.nan, 2]), labels(0, 1, 0))
    with pytest.raises(ValueError, match="one score and one label"):
        metric(np.arange(3.0), labels(0, 1))
