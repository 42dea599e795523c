"""A Gaussian of features divided by a power of their length, which normal images choose."""

import numpy as np
import pytest

from nearnd.scores import _power, gaussian
from nearnd.scores.gaussian import Gaussian


def rows(n, d=6, seed=0, mean=3.0):
    return (np.random.default_rng(seed).normal(size=(n, d)) + mean).astype(np.float32)


def bent(y, power):
    """x of which x / |x|^power is y."""
    return y * np.linalg.norm(y, axis=1, keepdims=True) ** (power / (1 - power))


def run(score, bank, queries):
    return score({"features": bank}, {"features": queries})


@pytest.mark.parametrize("power", [-0.5, 0.0, 0.5, 0.75])
def test_the_power_that_made_the_features_is_found(power):
    bank = bent(rows(600), power)
    assert _power.scaled(bank, power) == pytest.approx(rows(600), rel=1e-4)
    assert _power.chosen(bank, Gaussian) == power


def test_the_score_is_that_of_the_scaled_features():
    bank, queries = bent(rows(600), 0.5), bent(rows(20, seed=1), 0.5)
    found = run(gaussian.build(power="chosen"), bank, queries)
    assert found == pytest.approx(run(gaussian.build(power=0.5), bank, queries))
    plain = run(gaussian.build(), rows(600), rows(20, seed=1))
    assert found == pytest.approx(plain, rel=1e-3)


def test_power_1_is_length_1_and_power_0_is_nothing():
    bank, queries = rows(60), rows(9, seed=1)
    times = np.linspace(0.5, 20, 9)[:, None].astype(np.float32)
    on_ball = gaussian.build(power=1)
    assert run(on_ball, bank, queries * times) == pytest.approx(
        run(on_ball, bank, queries), rel=1e-3
    )
    assert (
        run(gaussian.build(power=0), bank, queries) == run(gaussian.build(), bank, queries)
    ).all()


def test_units_of_the_features_do_not_matter_and_few_images_choose_nothing():
    bank = bent(rows(300), 0.5)
    assert _power.chosen(1000 * bank, Gaussian) == _power.chosen(bank, Gaussian)
    assert _power.chosen(bank[:7], Gaussian) == 0
    empty = np.zeros((50, 6), np.float32)
    assert _power.chosen(empty, Gaussian) == 0


def test_the_log_density_is_that_of_the_covariance():
    x = rows(50, 4)
    fitted = Gaussian(x)
    for new, d in ((x, 4), (np.hstack([x, x, x + 1])[:5], 12)):  # fewer images than features too
        fitted = Gaussian(new)
        k = len(fitted.directions)
        inside = fitted.directions.T * fitted.variance @ fitted.directions
        beside = np.eye(d) - fitted.directions.T @ fitted.directions
        whole = inside + (fitted.rest * beside if k < d else 0)
        assert fitted.log_volume() == pytest.approx(np.linalg.slogdet(whole)[1])
