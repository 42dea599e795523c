"""The folder of bricks that stands for everybody's own."""

import numpy as np
from bricks import blot, bricks, scratch
from PIL import Image

from nearnd.datasets.image_folder import build


def test_the_folder_is_read_with_its_masks_and_the_same_seed_draws_the_same(tmp_path):
    one, two = (bricks(tmp_path / name, train=6, test=9, side=64) for name in ("one", "two"))
    (images, names), (again, _) = (
        build(path=str(at), size=64, mode="L").read({}) for at in (one, two)
    )
    assert names == ["blot", "good", "scratch"]
    assert np.bincount(images["train"].labels).tolist() == [0, 6]
    assert np.bincount(images["test"].labels).tolist() == [2, 5, 2]
    marked = images["test"].masks.any((1, 2))
    assert (marked == (images["test"].labels != 1)).all()
    for split in ("train", "test"):
        assert (images[split].pixels == again[split].pixels).all()


def test_a_scratch_is_two_pixels_wide_and_a_blot_is_one_spot():
    for seed in range(5):
        line = scratch(224, np.random.default_rng(seed)) >= 0.5
        rows, columns = np.nonzero(line)
        length = np.hypot(np.ptp(rows), np.ptp(columns))
        assert 1.6 < line.sum() / length < 2.9  # bent, so longer than from end to end
        spot = blot(224, np.random.default_rng(seed))
        assert 0.0015 < spot.mean() < 0.025


def test_anomalies_differ_from_the_wall_where_the_mask_says(tmp_path):
    folder = bricks(tmp_path, train=1, test=8)
    for mask in folder.rglob("*_mask.png"):
        marked = np.asarray(Image.open(mask)) > 0
        image = np.asarray(
            Image.open(folder / "test" / mask.parent.name / f"{mask.stem[:3]}.png"), float
        )
        assert image.shape == marked.shape == (224, 224)
        step = np.abs(np.diff(image, axis=1))  # an edge where it begins
        edge = np.diff(marked, axis=1)
        assert step[edge].mean() > 3 * np.median(step)
