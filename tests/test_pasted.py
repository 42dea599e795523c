"""Fakes that are normal images with something on them: CutPaste, and spots by Perlin noise."""

import numpy as np
import pytest

from nearnd import plugins
from nearnd.fakes import perlin
from nearnd.jobs import cutpaste


def images(n=6, side=64, channels=3, seed=0):
    y, x = np.mgrid[:side, :side] / side
    base = 120 + 60 * np.sin(7 * x + 5 * y)[..., None]
    noise = np.random.default_rng(seed).normal(0, 8, (n, side, side, channels))
    return (base + noise).clip(0, 255).astype(np.uint8)


def drawn(entry, n=12, seed=0, normal=None, **sources):
    normal = images() if normal is None else normal
    return plugins.build("fakes", entry).draw(n, seed=seed, normal=normal, **sources)[0]


def changed(fakes, normal):
    """Of each fake the pixels (H, W) in which it differs from the nearest normal image."""
    apart = [(fake != normal).any(-1) for fake in fakes]  # (N, H, W)
    return [each[each.sum((1, 2)).argmin()] for each in apart]


@pytest.mark.parametrize(
    ("shape", "least", "most"), [("patch", 0.005, 0.16), ("scar", 0.0005, 0.02)]
)
def test_cutpaste_changes_one_place_of_the_published_size(shape, least, most):
    normal = images()
    parts = changed(drawn({"kind": "cutpaste", "shape": shape}, 60, normal=normal), normal)
    shares = np.array([part.mean() for part in parts])
    assert shares.max() < most
    assert np.median(shares) > least
    for part in parts:
        rows, columns = np.nonzero(part)
        assert np.ptp(rows) < 45 or shape == "patch"
        assert len(rows) > 0.1 * (np.ptp(rows) + 1) * (np.ptp(columns) + 1)  # it hangs together


def test_without_other_colours_a_patch_is_a_piece_of_its_image():
    normal = images(1)
    fake = drawn({"kind": "cutpaste", "shape": "patch", "jitter": 0}, 1, normal=normal)[0]
    rows, columns = np.nonzero((fake != normal[0]).any(-1))
    top, left, height, width = rows.min(), columns.min(), np.ptp(rows) + 1, np.ptp(columns) + 1
    piece = fake[top : top + height, left : left + width]
    there = [
        (normal[0, i : i + height, j : j + width] == piece).all()
        for i in range(65 - height)
        for j in range(65 - width)
    ]
    assert any(there)


def test_every_normal_image_comes_equally_often():
    normal = np.stack([np.full((32, 32, 1), 40 * i, np.uint8) for i in range(5)])
    fakes = drawn({"kind": "cutpaste"}, 15, normal=normal)
    assert np.bincount(np.median(fakes, (1, 2, 3)).astype(int) // 40).tolist() == [3] * 5


def test_spots_are_of_the_other_image_and_the_rest_is_the_normal_one():
    normal, others = np.full((4, 64, 64, 1), 50, np.uint8), np.full((3, 64, 64, 1), 250, np.uint8)
    entry = {"kind": "perlin", "opacity": [1.0, 1.0]}
    fakes = drawn(entry, 30, normal=normal, others=others)
    assert set(np.unique(fakes)) == {50, 250}
    share = (fakes == 250).mean((1, 2, 3))
    assert (share > 0).all()
    assert 0.01 < np.median(share) < 0.4
    half = drawn(entry | {"opacity": [0.5, 0.5]}, 30, normal=normal, others=others)
    assert set(np.unique(half)) == {50, 150}


def test_perlin_noise_is_zero_at_corners_smooth_and_of_the_scale_asked_for():
    rng = np.random.default_rng(0)
    found = [perlin.noise((256, 256), (cells, cells), rng) for cells in (2, 16)]
    for noise, cells in zip(found, (2, 16), strict=True):
        step = 256 // cells
        corners = noise[step - 1 :: step, step - 1 :: step][:-1, :-1]
        assert np.abs(corners).max() < 2 / step  # half a pixel away
        assert np.abs(noise).max() <= 1.01
        assert np.abs(np.diff(noise, axis=0)).max() < 6 / step
    rough = [np.abs(np.diff(noise, axis=0)).mean() / noise.std() for noise in found]
    assert rough[1] / rough[0] == pytest.approx(8, rel=0.4)


def test_arguments_that_are_no_range_are_refused():
    with pytest.raises(ValueError, match=r"opacity is \[0\.9, 0\.2\]"):
        plugins.build("fakes", {"kind": "perlin", "opacity": [0.9, 0.2]})


@pytest.mark.parametrize("threshold", [0.9, 1.0, -1.0])
@pytest.mark.parametrize("side", [1, 8, 64])
def test_spots_are_found_at_any_threshold(threshold, side):
    """The noise hardly comes near 1, and never above."""
    spots = perlin.spots_of((side, side), np.random.default_rng(0), threshold, (0, 5))
    assert spots.any()
    assert threshold < 0 or side < 64 or spots.mean() < 0.1


def test_a_tiny_image_still_gets_something():
    assert drawn({"kind": "cutpaste"}, 4, normal=images(2, 2)).shape == (4, 2, 2, 3)
    assert cutpaste.sides(900, 0.1, (8, 8)) == (7, 1)
