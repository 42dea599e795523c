"""What held-out images promise for new ones holds exactly, whatever their scores are."""

import math

import numpy as np
import pytest

from nearnd.report.conformal import p_values, promise, threshold


@pytest.mark.parametrize("n", [5, 19, 20, 99, 1000])
@pytest.mark.parametrize("quantile", [0.8, 0.95])
def test_new_normal_images_exceed_the_threshold_no_more_often_than_promised(n, quantile):
    """Exactly: among n + 1 exchangeable scores the new one has each rank with equal chance."""
    ranks = np.arange(1, n + 2)
    exceeds = [new > threshold(np.delete(ranks, new - 1).astype(float), quantile) for new in ranks]
    assert np.mean(exceeds) <= 1 - quantile + 1e-12
    if n >= 19:  # and it is not needlessly high
        assert np.mean(exceeds) > 1 - quantile - 1.01 / (n + 1)


def test_p_values_of_held_out_images_are_their_ranks():
    held_out = np.random.default_rng(0).random(12).astype(np.float32)
    found = p_values(held_out, np.sort(held_out))
    assert np.allclose(found, np.arange(13, 1, -1) / 13)


def test_too_few_images_promise_nothing_and_say_what_would_help():
    assert threshold(np.arange(18.0), 0.95) == math.inf
    assert threshold(np.arange(19.0), 0.95) == 18
    assert "takes 19" in promise(np.arange(18.0), 0.95)
    with pytest.raises(ValueError, match=r"quantile is 1; it may be a number between 0 and 1"):
        threshold(np.arange(5.0), 1)
    for n in range(1, 300):  # the quantile that is proposed works
        said = promise(np.arange(float(n)), 0.9999)
        assert "above the threshold" in said
        assert threshold(np.arange(float(n)), float(said.split()[-1])) < math.inf


def test_the_range_is_that_of_models_with_so_many_held_out_images():
    rng = np.random.default_rng(0)
    above = [1 - threshold(rng.random(20), 0.95) for _ in range(20_000)]  # of uniform scores
    low, high = np.quantile(above, [0.05, 0.95])
    said = promise(np.arange(20.0), 0.95)
    words = said.split(" it is ")[-1].split()
    assert float(words[0].rstrip("%")) / 100 == pytest.approx(low, abs=0.002)
    assert float(words[2].rstrip("%")) / 100 == pytest.approx(high, abs=0.004)
