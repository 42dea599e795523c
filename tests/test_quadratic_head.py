"""Heads that tell normal features from fakes: the head itself, two scores that make their fakes of
the bank, and fakes that are hard augmentations of normal images."""

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf
from sklearn.metrics import roc_auc_score

from nearnd import plugins
from nearnd.jobs.quadratic_head import learnt
from nearnd.scores.gaussian import Gaussian
from nearnd.scores.shell import HELD_OUT, outliers

WIDE, THIN = 4, 12  # directions in which features vary by 3, and by 0.1: none is an axis
AXES = np.linalg.qr(np.random.default_rng(9).standard_normal((16, 16)))[0]


def rows(n: int, seed: int = 0, shift: float = 0.0) -> np.ndarray:
    """float32 (n, 16): `shift` moves them in directions where they hardly vary."""
    x = np.random.default_rng(seed).standard_normal((n, WIDE + THIN))
    x *= np.repeat([3.0, 0.1], [WIDE, THIN])
    x[:, WIDE:] += shift * np.random.default_rng(seed + 1).choice([-1, 1], (n, THIN))
    return (x @ AXES.T).astype(np.float32)


def test_the_logit_ranks_what_was_not_learnt():
    head = learnt(rows(300), rows(300, 3, 0.5))
    fresh = np.concatenate([rows(200, 5), rows(200, 7, 0.5)])
    assert roc_auc_score(np.repeat([0, 1], 200), head.logit(fresh)) > 0.95


def test_a_head_needs_both_kinds():
    with pytest.raises(ValueError, match="it got 5 and 0"):
        learnt(rows(5), rows(0))
    with pytest.raises(ValueError, match="features of 5 normal images are all the same"):
        learnt(np.ones((5, 16), np.float32), rows(5))


def test_outliers_lie_on_the_shell_and_only_thin_directions_moved():
    b, seed = rows(400), 0
    fakes = outliers(b, 0.9, 0.9, 0.99, seed)
    order = np.random.default_rng(seed).permutation(len(b))  # as the score draws it
    held, seen = np.split(order, [round(HELD_OUT * len(b))])
    fitted = LedoitWolf().fit(b[seen].astype(np.float64))
    low, high = np.quantile(fitted.mahalanobis(b[held]), [0.9, 0.99])
    squared = fitted.mahalanobis(fakes)
    assert (squared > 0.999 * low).all()
    assert (squared < 1.001 * high).all()
    wide = (fakes @ AXES)[:, None, :WIDE] - (b @ AXES)[None, :, :WIDE]  # (M, M, 4)
    moved = np.abs((fakes[:, None] - b) @ AXES)[..., WIDE:].max(-1)
    assert np.abs(wide).max(-1).min(1).max() < 0.1  # they are some row of the bank's
    assert np.median(moved.min(1)) > 0.2  # twice what rows vary there


@pytest.mark.parametrize("d", [1, 2, 3])
def test_of_few_features_one_direction_at_least_may_be_left(d):
    b = np.random.default_rng(0).standard_normal((200, d)).astype(np.float32)
    fakes, order = outliers(b, 0.9, 0.9, 0.99, 0), np.random.default_rng(0).permutation(200)
    assert np.isfinite(fakes).all()
    wide = Gaussian(b[order[round(HELD_OUT * 200) :]]).directions[: d - 1]  # (d - 1, d)
    away = (fakes @ wide.T)[:, None] - (b @ wide.T)[None]  # (M, M, d - 1)
    assert np.abs(away).max(-1, initial=0).min(1).max() < 1e-5  # some row's there


@pytest.mark.parametrize("kind", ["feature_noise", "shell"])
def test_a_score_finds_what_leaves_the_directions_of_normal_features(kind):
    score = plugins.build("scores", {"kind": kind})
    bank = {"features": rows(500)}
    queries = {"features": np.concatenate([rows(200, 5), rows(200, 7, 0.5)])}
    found = score(bank, queries, seed=1)
    assert roc_auc_score(np.repeat([0, 1], 200), found) > 0.95
    again = score(bank, queries, seed=1)
    assert (found == again).all()
    assert found.dtype == np.float32


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"kind": "shell", "inner": 0.9, "outer": 0.5}, "inner is 0.9, outer 0.5"),
        ({"kind": "shell", "variance": 1.0}, "variance is 1.0"),
        ({"kind": "feature_noise", "noise": 0.0}, "noise is 0.0"),
    ],
)
def test_settings_that_cannot_be(entry, message):
    with pytest.raises(ValueError, match=message):
        plugins.build("scores", entry)


def test_a_shell_of_few_images_is_refused():
    score = plugins.build("scores", {"kind": "shell"})
    with pytest.raises(ValueError, match="10 normal training images at least, it got 5"):
        score({"features": rows(5)}, {"features": rows(3)})


def test_turned_images_are_one_of_three_turns_of_each_normal_image_in_turn():
    normal = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)
    entry = {"kind": "augmented", "augmentations": ["rotation"]}
    fakes, facts = plugins.build("fakes", entry).draw(10, seed=3, normal=normal)
    turned = [[np.rot90(image, k) for k in (1, 2, 3)] for image in normal]
    of = [[i for i in range(5) if any((f == t).all() for t in turned[i])] for f in fakes]
    assert sorted(i for found in of for i in found) == sorted([*range(5)] * 2)
    assert facts == {"augmentations": "rotation"}
    again = plugins.build("fakes", entry).draw(10, seed=3, normal=normal)[0]
    assert (fakes == again).all()


@pytest.mark.parametrize("name", ["outliers", "twirl"])
def test_augmentations_that_are_none_are_named(name):
    with pytest.raises(ValueError, match=f"names '{name}'; there is autoaugment, blur"):
        plugins.build("fakes", {"kind": "augmented", "augmentations": [name]}).draw(
            1, seed=0, normal=np.zeros((1, 8, 8, 3), np.uint8)
        )
