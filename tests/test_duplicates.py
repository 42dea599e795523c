"""Test images that are training images, or nearly."""

import numpy as np
import pytest
from PIL import Image

from nearnd.contracts import Images
from nearnd.jobs.duplicates import near_copies, warn_of_repeats


@pytest.fixture(scope="module")
def scenes():
    """40 scenes, each taken twice: the second time with other noise, a little brighter."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, 256, (40, 5, 5, 3)).astype(np.uint8)
    large = np.stack([Image.fromarray(a).resize((50, 40), Image.BICUBIC) for a in drawn])
    return [np.clip(large + rng.normal(i, 8, large.shape), 0, 255).astype(np.uint8) for i in (0, 2)]


def test_the_next_picture_of_a_burst_is_found_and_another_scene_is_not(scenes):
    first, second = scenes
    assert near_copies(first[:30], second[20:]) == [(i, i - 20) for i in range(20, 30)]
    assert near_copies(first[:30], first[30:]) == []


def test_equal_images_are_named_once_and_small_or_missing_ones_are_nothing(scenes, caplog):
    first, second = scenes
    assert near_copies(first, first) == []
    for train, test in ((first[:1], first), (first, first[:0]), (first[:, :4], second[:, :4])):
        assert near_copies(train, test) == []
    labels, ids = np.zeros(40, int), np.array([f"{i}.png" for i in range(40)])
    train = Images(first, labels, ids)
    test = Images(np.concatenate([first[:1], second[1:3]]), labels[:3], np.array(list("abc")))
    warn_of_repeats(train, test, ["x"])
    equal, near = (record.getMessage() for record in caplog.records)
    assert "1 of 3 test images are training images too" in equal
    assert "a (x) is 0.png (x)" in equal
    assert "2 of 3 test images are nearly training images" in near
    assert "b (x) is like 1.png (x)" in near


def test_one_near_copy_among_a_hundred_is_no_warning(scenes, caplog):
    first, second = scenes
    for others, level in ((99, "INFO"), (98, "WARNING")):
        noise = np.random.default_rng(1).integers(0, 256, (others, *first.shape[1:]), np.uint8)
        pixels = np.concatenate([second[:1], noise])
        ids = np.arange(len(pixels)).astype(str)
        train = Images(first, np.zeros(40, int), np.arange(40).astype(str))
        caplog.clear()
        with caplog.at_level("INFO"):
            warn_of_repeats(train, Images(pixels, np.zeros(len(pixels), int), ids), ["x"])
        assert [record.levelname for record in caplog.records] == [level]
