"""Closeness: a distribution over anomaly classes that finds the planted near class."""

import numpy as np
import pytest

from nearnd.closeness import linear_probe

RNG = np.random.default_rng(0)
CENTRES = np.array([[8.0, 0, 0], [0, 8, 0], [0, 0, 8], [-8, 0, 0]])


def classes(n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    labels = np.repeat(np.arange(4), n)
    return CENTRES[labels] + RNG.normal(size=(4 * n, 3)), labels


@pytest.mark.parametrize("near", range(4))
def test_finds_the_planted_near_class(near):
    features, labels = classes()
    normal = 0.7 * CENTRES[near] + RNG.normal(size=(30, 3))
    closeness = linear_probe.build()(features, labels, [normal])[0]
    assert closeness.shape == (4,)
    assert closeness.sum() == pytest.approx(1)
    assert closeness.argmax() == near


def test_halfway_between_two_classes_is_close_to_both():
    features, labels = classes()
    normal = np.concatenate([CENTRES[:2]] * 20) + RNG.normal(size=(40, 3))
    (closeness,) = linear_probe.build()(features, labels, [normal])
    assert closeness[:2] == pytest.approx([0.5, 0.5], abs=0.02)


def test_units_of_the_features_do_not_matter():
    features, labels = classes()
    normal = 0.4 * CENTRES[1] + RNG.normal(size=(30, 3))
    scale = np.array([1e-3, 1, 1e3])
    before = linear_probe.build()(features, labels, [normal])
    after = linear_probe.build()(features * scale + 7, labels, [normal * scale + 7])
    assert after == pytest.approx(before, rel=1e-3, abs=1e-6)


def test_one_anomaly_class_has_all_the_closeness():
    features, labels = classes()
    assert linear_probe.build()(features[labels == 0], labels[labels == 0], [features]) == [[1.0]]


def test_a_class_without_images_is_named():
    features, labels = classes()
    with pytest.raises(ValueError, match=r"classes \[1\]"):
        linear_probe.build()(features[labels != 1], labels[labels != 1], [features])
