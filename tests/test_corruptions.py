"""Corrupted test sets that are made here: how each corruption behaves, and what they depend on."""

from pathlib import Path

import numpy as np
import pytest

from nearnd import plugins
from nearnd.contracts import Images
from nearnd.datasets import _corruptions
from nearnd.files import tables


def build(kind, **arguments):
    return plugins.build("datasets", {"kind": kind, **arguments})


@pytest.fixture(scope="module")
def photographs():
    """Something like photographs: smooth colours with edges and texture, uint8 (24, 32, 32, 3)."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(1)
    smooth = gaussian_filter(rng.normal(size=(24, 32, 32, 3)), (0, 5, 5, 0))
    fine = gaussian_filter(rng.normal(size=(24, 32, 32, 1)), (0, 0.8, 0.8, 0))
    disc = np.hypot(*np.mgrid[-16:16, -16:16])[None, ..., None] < rng.uniform(5, 12, (24, 1, 1, 1))
    values = 115 + 35 * smooth / smooth.std() + 15 * fine / fine.std() + 40 * disc
    return values.clip(0, 255).astype(np.uint8)


def corrupted(images, name, severity):
    pairs = enumerate(images)
    return np.stack(
        [_corruptions.corrupt(x, name, severity, np.random.default_rng(i)) for i, x in pairs]
    )


@pytest.mark.parametrize("name", _corruptions.CORRUPTIONS)
def test_a_higher_severity_is_further_from_the_clean_image(name, photographs):
    distances = []
    for severity in range(1, 6):
        changed = corrupted(photographs, name, severity)
        assert changed.dtype == np.uint8
        assert changed.shape == photographs.shape
        assert np.array_equal(changed, corrupted(photographs, name, severity))
        difference = changed.astype(float) - photographs
        distances.append(np.sqrt((difference**2).mean((1, 2, 3))).mean())
    assert np.all(np.diff(distances) > 0)
    assert 1 < distances[0] < 60  # seen, and not everything gone


@pytest.mark.parametrize("name", _corruptions.CORRUPTIONS)
@pytest.mark.parametrize("side", [28, 33])
def test_corruptions_take_grey_images_of_any_side(name, side):
    grey = np.random.default_rng(2).integers(0, 256, (side, side + 2, 1)).astype(np.uint8)
    for severity in (1, 5):
        changed = _corruptions.corrupt(grey, name, severity, np.random.default_rng(0))
        assert changed.dtype == np.uint8
        assert changed.shape == grey.shape
        assert np.array_equal(changed, grey) == (name == "saturate")  # grey has no saturation


def test_corruptions_change_brightness_the_way_they_should(photographs):
    shift = {
        name: corrupted(photographs, name, 5).mean() - photographs.mean()
        for name in _corruptions.CORRUPTIONS
    }
    for name in ("brightness", "fog", "snow"):
        assert shift[name] > 20
    noise = ["gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise"]
    blur = [name for name in shift if name.endswith("_blur")]
    for name in [*noise, *blur, "contrast", "pixelate", "jpeg_compression"]:
        assert abs(shift[name]) < 3


def test_noise_has_the_stated_law():
    """On plain grey: standard deviation, Poisson variance, shares of black and white."""
    grey = np.full((200, 200, 3), 128, np.uint8)
    value = 128 / 255

    def spread(name, severity):
        changed = _corruptions.corrupt(grey, name, severity, np.random.default_rng(0))
        return changed.std() / 255, changed

    assert spread("gaussian_noise", 5)[0] == pytest.approx(0.10, rel=0.02)
    assert spread("speckle_noise", 4)[0] == pytest.approx(0.16 * value, rel=0.02)
    assert spread("shot_noise", 4)[0] == pytest.approx(np.sqrt(value / 75), rel=0.02)
    _, salted = spread("impulse_noise", 5)
    assert (salted == 0).mean() == pytest.approx(0.035, abs=0.003)
    assert (salted == 255).mean() == pytest.approx(0.035, abs=0.003)
    assert (salted == 128).mean() == pytest.approx(0.93, abs=0.004)


@pytest.mark.parametrize("name", ["gaussian_blur", "defocus_blur", "motion_blur", "zoom_blur"])
def test_blur_leaves_a_plain_image_alone_and_takes_detail_away(name, photographs):
    plain = np.full((32, 32, 3), 77, np.uint8)
    assert np.array_equal(corrupted([plain], name, 5)[0], plain)

    def detail(images):
        return np.abs(np.diff(images.astype(float), axis=2)).mean()

    levels = [detail(corrupted(photographs, name, severity)) for severity in (1, 3, 5)]
    assert detail(photographs) > levels[0] > levels[1] > levels[2]


def test_contrast_keeps_the_stated_share_of_it(photographs):
    for severity, factor in ((1, 0.75), (5, 0.15)):
        changed = corrupted(photographs, "contrast", severity)
        ratio = changed.std((1, 2)) / photographs.std((1, 2))
        assert ratio == pytest.approx(factor, abs=0.02)


def test_geometry_moves_a_dot_where_it_should():
    dot = np.zeros((33, 33, 1), np.uint8)
    dot[16, 22:25] = dot[15:18, 23] = 255  # 7 pixels right of the centre

    def centre(name, severity):
        weight = corrupted([dot], name, severity)[0, ..., 0].astype(float)
        row, column = np.indices(weight.shape)
        return np.array([(row * weight).sum(), (column * weight).sum()]) / weight.sum() - 16

    assert centre("scale", 5) == pytest.approx([0, 3.5], abs=0.1)
    assert np.hypot(*centre("rotate", 5)) == pytest.approx(7, abs=0.1)
    assert abs(np.degrees(np.arctan2(*centre("rotate", 5)))) == pytest.approx(30, abs=1)
    moved = centre("translate", 2) - [0, 7]
    assert np.abs(moved) == pytest.approx([3.3, 3.3], abs=0.1)
    assert centre("shear", 5) == pytest.approx([0, 7], abs=0.1)  # the middle row stays


def stored(folder: Path, images, classes=("cat", "dog")) -> Path:
    """The files that the pipeline keeps of a dataset's test split."""
    labels = np.arange(len(images)) % len(classes)
    ids = np.array([f"test/{i:05d}" for i in range(len(images))])
    tables.save_images(folder, "test", Images(images, labels, ids), list(classes))
    return folder / "test.npy"


def test_a_dataset_of_ones_own_can_be_corrupted(tmp_path, photographs):
    clean = stored(tmp_path, photographs[:6])
    splits, classes = build("corrupted", corruptions=["fog", "scale"], severities=[1, 4]).read(
        {"of": clean}
    )
    test = splits["test"]
    assert classes == ["cat", "dog"]
    assert len(splits["train"]) == 0
    assert len(test) == 24
    assert test.labels.tolist() == [0, 1] * 12
    assert test.ids[0] == "fog/1/test/00000"
    assert test.ids[-1] == "scale/4/test/00005"
    difference = np.abs(test.pixels.reshape(4, 6, 32, 32, 3).astype(int) - photographs[:6])
    assert difference.mean((2, 3, 4)).min() > 1  # none is left clean


def test_a_corrupted_image_depends_on_its_name_alone(tmp_path, photographs):
    """Not on what else is chosen, or on which images stand beside it."""
    few = build("corrupted", corruptions=["snow"], severities=[3]).read(
        {"of": stored(tmp_path / "few", photographs[:3])}
    )[0]["test"]
    many = build("corrupted", severities=[5, 3]).read(
        {"of": stored(tmp_path / "many", photographs[:4])}
    )[0]["test"]
    by_id = dict(zip(many.ids, many.pixels, strict=True))
    for name, image in zip(few.ids, few.pixels, strict=True):
        assert np.array_equal(image, by_id[name])
    other = build("corrupted", corruptions=["snow"], severities=[3], seed=1).read(
        {"of": stored(tmp_path / "few", photographs[:3])}
    )[0]["test"]
    assert not np.array_equal(few.pixels, other.pixels)


def test_two_images_do_not_share_their_noise(tmp_path, photographs):
    twins = stored(tmp_path, photographs[[0, 0]])
    test = build("corrupted", corruptions=["gaussian_noise"]).read({"of": twins})[0]["test"]
    noise = test.pixels.astype(float) - photographs[0]
    flat = noise.reshape(10, -1)  # five severities of two images
    assert np.abs(np.corrcoef(flat) - np.eye(10)).max() < 0.1
