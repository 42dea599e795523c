"""Stopping rules, copies, and exposure sets."""

import numpy as np
import pytest

from nearnd import plugins
from nearnd.fakes.sampled import match_levels
from nearnd.jobs import duplicates
from nearnd.jobs.early_end import choose

ROWS = [
    {"step": s, "frechet": d} for s, d in [(1, 300.0), (2, 90.0), (4, 41.0), (8, 8.0), (9, 9.0)]
]


@pytest.mark.parametrize(
    ("stop", "step"),
    [
        ({"fid": 40}, 8),  # 41 is above
        ({"fid": 90}, 2),  # the limit itself counts
        ({"factor": 5}, 8),  # 5 x 8 = 40
        ({"factor": 5.2}, 4),  # 41.6
        ({"window": [30, 50]}, 4),
        ({"window": [0, 10]}, 8),  # the first of two
        ({"window": [20, 25]}, 4),  # none inside: 41 is 1.6 times too high, 8 is 2.5 times too low
        ({"step": 2}, 2),
    ],
)
def test_which_snapshot_a_rule_picks(stop, step):
    assert choose(ROWS, stop, "frechet")["step"] == step


def test_a_distance_that_was_never_reached_is_an_error_with_what_was():
    with pytest.raises(ValueError, match=r"no snapshot reached frechet 7 .*4: 41.*Train longer"):
        choose(ROWS, {"fid": 7}, "frechet")
    with pytest.raises(ValueError, match=r"step 3 has no snapshot; there are \[1, 2, 4, 8, 9\]"):
        choose(ROWS, {"step": 3})


def test_sampled_draws_from_the_chosen_snapshot_with_one_seed_an_image():
    def sample(file, seeds):
        assert file.name == "step0000004.safetensors"
        return seeds

    entry = {"kind": "sampled", "stop": {"window": [30, 50]}, "measure": "frechet"}
    fakes = plugins.build("fakes", entry)
    sources = {"normal": None, "sample": sample, "snapshots": "x", "fidelity": ROWS}
    few, facts = fakes.draw(3, seed=1, **sources)
    many, _ = fakes.draw(9, seed=1, **sources)
    other, _ = fakes.draw(3, seed=2, **sources)
    assert facts == {"step": 4, "frechet": 41.0, "measure": "frechet", "best_frechet": 41.0}
    assert list(many[:3]) == list(few)  # more fakes are more, not others
    assert len({*few, *other}) == 6


def test_several_snapshots_give_the_same_share_each_and_a_longer_set_begins_like_a_short_one():
    fakes = plugins.build("fakes", {"kind": "sampled", "stop": {"step": [2, 4, 9]}})
    sources = {"normal": None, "snapshots": "x", "fidelity": ROWS}
    sources["sample"] = lambda file, seeds: np.array([int(file.stem[4:])] * len(seeds))
    many, facts = fakes.draw(9, seed=1, **sources)
    assert np.bincount(many).tolist() == [0, 0, 3, 0, 3, 0, 0, 0, 0, 3]
    assert facts == {"steps": "2, 4, 9", "frechet": pytest.approx((90 + 41 + 9) / 3)}
    few, _ = fakes.draw(4, seed=1, **sources)
    assert few.tolist() == many[:4].tolist()
    sources["sample"] = lambda file, seeds: seeds
    seeds, _ = fakes.draw(9, seed=1, **sources)
    assert len(set(seeds.tolist())) == 9  # no two images from the same noise


def test_exposure_repeats_images_only_when_it_must():
    others = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1)
    exposure = plugins.build("fakes", {"kind": "exposure"})
    ten, _ = exposure.draw(10, seed=0, normal=None, others=others)
    assert sorted(ten.ravel()) == list(range(10))
    many, _ = exposure.draw(25, seed=0, normal=None, others=others)
    assert np.bincount(many.ravel(), minlength=10).tolist().count(2) == 5  # 2.5 on average
    assert set(np.bincount(many.ravel())) == {2, 3}


def test_matched_levels_are_the_normal_images_and_keep_the_order_of_pixels():
    rng = np.random.default_rng(0)
    normal = rng.choice([0, 0, 0, 128, 255], (50, 4, 4, 2)).astype(np.uint8)
    fakes = rng.integers(20, 200, (30, 4, 4, 2)).astype(np.uint8)  # never black, never white
    matched = match_levels(fakes, normal)
    for channel in range(2):
        a, b = matched[..., channel].ravel(), fakes[..., channel].ravel()
        shares = [np.mean(normal[..., channel] == level) for level in (0, 128, 255)]
        assert [np.mean(a == v) for v in (0, 128, 255)] == pytest.approx(shares, abs=0.003)
        assert (np.diff(a[np.argsort(b, kind="stable")].astype(int)) >= 0).all()
    assert (match_levels(normal, normal) == normal).all()


def test_copies_are_counted_and_fresh_draws_are_not():
    rng = np.random.default_rng(0)
    draw = lambda n: rng.integers(0, 256, (n, 8, 8, 1)).astype(np.uint8)  # noqa: E731
    training, fresh = draw(200), draw(100)
    assert duplicates.share(training[:50], training) == 1.0
    assert duplicates.share(fresh, training) == 0.0
    noisy = np.clip(training[:50].astype(int) + rng.integers(-5, 6, (50, 8, 8, 1)), 0, 255)
    mixed = np.concatenate([noisy.astype(np.uint8), fresh[:50]])
    assert duplicates.share(mixed, training) == 0.5


def test_a_copy_is_nearer_than_half_the_way_to_the_next_training_image():
    rng = np.random.default_rng(0)
    training = rng.integers(0, 5, (60, 2, 2, 1)).astype(np.uint8)  # some of them equal
    fakes = rng.integers(0, 5, (80, 2, 2, 1)).astype(np.uint8)
    x, y = training.reshape(60, -1).astype(float), fakes.reshape(80, -1).astype(float)
    between = np.linalg.norm(x[:, None] - x, axis=2) + np.diag(np.full(60, np.inf))
    distance = np.linalg.norm(y[:, None] - x, axis=2)  # (80, 60)
    nearest = distance.argmin(1)
    copies = distance.min(1) < 0.5 * between.min(1)[nearest]
    assert 0 < copies.mean() < 1
    assert duplicates.share(fakes, training) == copies.mean()
