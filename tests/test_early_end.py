"""When training ends and which snapshot fakes are drawn from: early enough to save training, late
enough that nothing changes it."""

import logging

import numpy as np
import pytest

from nearnd import plugins
from nearnd.jobs.early_end import check_until, choose, converged, ended, enough, settled

FRECHET = "frechet"
FALLING = [300.0, 90.0, 41.0, 8.0, 9.0, 7.0]


def rows(distances, measure=FRECHET, **facts):
    return [{"step": 2**i, measure: d, **facts} for i, d in enumerate(distances)]


@pytest.mark.parametrize(
    ("stop", "settled_at"),
    [
        ({"step": 4}, 4),
        ({"step": 5}, 8),  # passed: it has no snapshot, and more training gives it none
        ({"step": 64}, None),
        ({"step": [2, 8]}, 8),  # of several the last
        ({"fid": 90}, 2),
        ({"fid": 40}, 8),
        ({"fid": 1}, None),
        ({"window": [30, 50]}, 4),
        ({"window": [20, 25]}, 8),  # passed between two snapshots
        ({"window": [1, 5]}, None),
        ({"factor": 5}, None),  # the best of a converged run is known at its end
    ],
)
def test_when_a_stop_is_settled(stop, settled_at):
    table = rows(FALLING)
    first = next(
        (r["step"] for i, r in enumerate(table, 1) if enough(table[:i], stop, FRECHET)), None
    )
    assert first == settled_at
    if settled_at:
        assert settled(table, stop, FRECHET)[-1]["step"] == settled_at


@pytest.mark.parametrize(
    "stop", [{"step": 8}, {"fid": 90}, {"window": [30, 50]}, {"window": [20, 25]}]
)
def test_the_choice_is_the_same_however_far_training_went_on(stop):
    noisy = [*FALLING, 22.0, 45.0, 300.0, 1.0]  # later rows that would fit as well
    table = rows(noisy)
    enough_rows = settled(table, stop, FRECHET)
    assert len(enough_rows) < len(table)
    for end in range(len(enough_rows), len(table) + 1):
        assert choose(table[:end], stop, FRECHET) == choose(enough_rows, stop, FRECHET)


def noise(n, seed):
    return np.random.default_rng(seed).normal(size=n)


def test_a_fall_is_not_convergence_and_a_plateau_is():
    steady = 1000 * 0.8 ** np.arange(20.0)
    assert not any(converged(steady[:n], 4) for n in range(21))
    linear = 100 - np.arange(20.0)
    assert not any(converged(linear[:n], 4) for n in range(21))
    assert not converged(np.full(7, 3.0), 4)  # too few
    level = [converged(10 + noise(12, seed), 6) for seed in range(300)]
    assert 0.7 < np.mean(level) < 0.95  # one standard error: 84 % for normal noise
    falling = [converged(10 - np.arange(12) + noise(12, seed), 6) for seed in range(300)]
    assert np.mean(falling) < 0.02


def test_factor_ends_at_the_plateau_if_that_is_asked_for():
    # from step 2^12 on the fall of 1000 x 0.5^i is below the noise
    table = rows(1000 * 0.5 ** np.arange(24.0) + 2 + 0.05 * np.abs(noise(24, 0)))
    for until in ({"factor": 5, "patience": 4}, {"patience": 4}):
        ends = [i for i in range(1, 25) if ended(table[:i], until | {"measure": FRECHET})]
        assert ends
        assert 12 <= ends[0] < 24
    assert not any(enough(table[:i], {"factor": 5}, FRECHET) for i in range(1, 25))
    late = choose(table, {"factor": 5}, FRECHET)
    assert late == choose(table, {"factor": 5}, FRECHET, patience=4)
    assert late["frechet"] == pytest.approx(5 * 2, rel=0.5)


def test_a_plateau_at_the_start_is_no_convergence():
    flat = rows(300 + noise(20, 1))
    for until in ({"factor": 5, "patience": 4}, {"patience": 4}):
        assert not any(ended(flat[:i], until | {"measure": FRECHET}) for i in range(1, 21))


def test_until_reads_its_own_measure_and_ends_nothing_where_it_is_not_said():
    table = rows(FALLING, kid=0.5)
    assert ended(table[:3], {"fid": 41, "measure": FRECHET})
    assert not ended(table[:3], {"fid": 40, "measure": FRECHET})
    assert ended(table[:1], {"fid": 1, "measure": "kid"})
    assert not ended(table, None)


@pytest.mark.parametrize(
    ("until", "words"),
    [
        ({"factor": 5}, "patience: a number of snapshots from 2 on"),
        ({"patience": 1}, "patience: a number of snapshots from 2 on"),
        ({"measure": "kid"}, "it may be one of fid, window, step, or patience"),
        ({"fid": 40, "patience": 6}, "patience goes with factor, or stands alone"),
        ({"fid": 40, "step": 3}, "until is .*; it may be one of fid, factor, step, window"),
        ({"step": [3, 4]}, r"until step is \[3, 4\]; it may be a number"),
        ({"fid": -1}, "until fid is -1; it may be a number that is not negative"),
        ({"fid": 40}, "until is .*does not say of which distance: add `measure`"),
    ],
)
def test_an_end_that_means_nothing_is_refused(until, words):
    with pytest.raises(ValueError, match=words):
        check_until(until)


def test_kid_is_read_if_asked_for_and_has_no_factor():
    table = rows([2.0, 0.7, 0.3, 0.01, -0.002], "kid")
    assert choose(table, {"fid": 0.5}, "kid")["step"] == 4
    with pytest.raises(ValueError, match=r"factor 5 needs a best kid above 0, it is -0\.002"):
        choose(table, {"factor": 5}, "kid")
    with pytest.raises(ValueError, match="'frechet', which the generator's monitor does not"):
        choose(table, {"fid": 40}, FRECHET)
    assert choose(table, {"step": 4})["kid"] == 0.3  # a step reads no distance


def test_a_stop_on_a_singular_distance_warns_and_one_on_kid_does_not(caplog):
    remark = "frechet: 41 fake and 108 real images for 128 features"
    table = rows(FALLING, kid=1.0, remark=remark)
    with caplog.at_level(logging.WARNING):
        choose(table, {"step": 4})
        choose(table, {"window": [0.5, 2]}, "kid")
        assert not caplog.records
        choose(table, {"fid": 90}, FRECHET)
    assert remark in caplog.text
    assert "measure: kid" in caplog.text


def test_the_facts_say_which_distance_was_read():
    def facts(**entry):
        fakes = plugins.build("fakes", {"kind": "sampled", **entry})
        sources = {"sample": lambda file, seeds: seeds, "snapshots": "x"}
        return fakes.draw(2, seed=0, normal=None, fidelity=rows(FALLING, kid=0.5), **sources)[1]

    read = facts(stop={"fid": 90}, measure=FRECHET)
    assert (read["measure"], read["step"], read["best_frechet"]) == ("frechet", 2, 90.0)
    assert facts(stop={"fid": 1}, measure="kid")["measure"] == "kid"
    assert "measure" not in facts(stop={"step": 4})


def test_the_printed_table_marks_what_the_remark_is_about():
    import pandas as pd

    fakes = pd.DataFrame({
        "dataset": "digits", "fakes": "near", "method": "m", "seed": 0, "n": 9, "step": 4.0,
        "copies": 0.0, "frechet": 37.0, "kid": 1.5, "normal": ["3", "8"],
        "remark": ["frechet: too few images", ""],
    })  # fmt: skip
    table = plugins.build("tables_figures", {"kind": "fakes"})({"fakes": fakes})
    assert list(table["Fréchet distance"]) == ["37*", "37"]
    assert list(table["KID"]) == ["1.5", "1.5"]


@pytest.mark.parametrize("entry", [{"patience": 1}, {"patience": 4, "stop": {"fid": 40}}])
def test_patience_that_means_nothing_is_refused(entry):
    with pytest.raises(ValueError, match=r"patience is \d"):
        plugins.build("fakes", {"kind": "sampled", **entry})
