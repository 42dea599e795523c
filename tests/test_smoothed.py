"""Blends of normal images by their smoothed closed-form score."""

import numpy as np
import pytest
from scipy.stats import norm

from nearnd import plugins

RNG = np.random.default_rng(0)
NORMAL = RNG.integers(0, 256, (40, 6, 6, 1)).astype(np.uint8)


def drawn(n=24, seed=0, normal=NORMAL, **entry):
    return plugins.build("fakes", {"kind": "smoothed", **entry}).draw(n, seed=seed, normal=normal)[
        0
    ]


def away(fakes, normal=NORMAL):
    """The distance of each fake to the nearest normal image, in grey levels."""
    difference = fakes[:, None].astype(float) - normal[None]
    return np.sqrt((difference**2).mean(axis=(2, 3, 4))).min(axis=1)


def test_without_smoothing_the_training_images_come_again():
    """The exact score of the training images draws them, and different ones."""
    fakes = drawn(smoothing=0.0, moves=1, steps=60)
    assert away(fakes).max() <= 1
    assert len({fake.tobytes() for fake in fakes}) > 12


def test_more_smoothing_leads_further_away_towards_the_mean():
    means, spreads = [], []
    for smoothing in (0.0, 0.25, 0.5):
        fakes = drawn(smoothing=smoothing, moves=32)
        means.append(away(fakes).mean())
        spreads.append(fakes.astype(float).std(axis=0).mean())
    assert means[0] < means[1] < means[2]
    assert spreads[0] > spreads[1] > spreads[2]
    mean = NORMAL.astype(float).mean(axis=0)
    assert np.abs(drawn(smoothing=30.0, moves=400, n=4) - mean).max() < 40


def test_two_images_are_blended_by_the_share_of_moves_that_fall_to_each():
    """By hand: two grey images, a point between them. A move decides for one or the other, so the
    last step's blend is the share of moves that fall on each side."""
    kind = plugins.build("fakes", {"kind": "smoothed", "moves": 4000})
    bank = np.array([[-0.5], [0.5]], np.float32)
    streams = [np.random.default_rng(0)]
    squared = (bank**2).sum(1)
    for x in (-0.5, 0.0, 1.0):
        found = kind._denoised(np.array([[x]], np.float32), 0.02, 1.0, bank, squared, streams)[0, 0]
        assert found + 0.5 == pytest.approx(norm.cdf(x), abs=0.03)


def test_an_image_depends_on_its_seed_alone():
    many, few = drawn(40, moves=2), drawn(5, moves=2)
    assert np.abs(many[:5].astype(int) - few).max() <= 1  # products of other sizes round otherwise
    assert (drawn(5, seed=1, moves=2) != few).any(axis=(1, 2, 3)).all()


def test_equal_images_and_colour():
    grey = np.full((3, 4, 4, 3), 77, np.uint8)
    assert (drawn(2, normal=grey) == 77).all()
    assert drawn(2, normal=RNG.integers(0, 256, (9, 4, 4, 3)).astype(np.uint8)).shape == (
        2,
        4,
        4,
        3,
    )
