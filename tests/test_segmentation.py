"""Pixels of anomaly maps against masks: AUROC, AUPRO and IoU beside plain, slow computations."""

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import label

from nearnd.datasets.image_folder import build as image_folder
from nearnd.metrics.auroc import auroc
from nearnd.tables_figures import _maps, _pixels, segmentation


def task(n=9, side=20, seed=0, share=1.0, **facts):
    """Images of three classes in turn; those that are not good have two marked regions."""
    rng = np.random.default_rng(seed)
    classes = np.array(["good", "hole", "cut"] * (n // 3))
    masks = np.zeros((n, side, side), np.uint8)
    for i in np.flatnonzero(classes != "good"):
        masks[i, 2:5, 3 : 5 + i] = 1
        masks[i, 12 : 13 + i % 4, 14:18] = 1
    small = np.round(4 * rng.random((n, 5, 5))) + (classes != "good")[:, None, None] * rng.random(
        (n, 5, 5)
    )
    return {
        "dataset": "cups", "normal": "good", "method": "m", "seed": 0, "share": share,
        "pixels": np.zeros((n, side, side, 3), np.uint8), "masks": masks, "class": classes,
        "is_anomaly": classes != "good", "map": small.astype(np.float32),
    } | facts  # fmt: skip


@pytest.fixture(autouse=True)
def without_blur(monkeypatch):
    """Values that tie, which a blur would not leave."""
    monkeypatch.setattr(
        _maps, "on_pixels", lambda m, side: np.kron(m, np.ones((side // 5, side // 5), np.float32))
    )


def plain(source, images):
    """The maps and masks of some images, and the regions of each mask."""
    maps = np.stack([np.kron(m, np.ones((4, 4))) for m in source["map"][images]])
    masks = source["masks"][images] > 0
    regions = [label(m, np.ones((3, 3))) for m in masks]
    return maps, masks, [[one == i for i in range(1, n + 1)] for one, n in regions]


def slow_aupro(maps, masks, regions, limit=0.3):
    """Threshold by threshold, the curve joined by straight lines."""
    curve = [(0.0, 0.0)]
    for t in np.unique(maps)[::-1]:
        found = maps >= t
        overlap = [
            (f & r).sum() / r.sum() for f, each in zip(found, regions, strict=True) for r in each
        ]
        curve.append(((found & ~masks).sum() / (~masks).sum(), np.mean(overlap)))
    x, y = np.array(curve).T
    inside = x <= limit
    end = np.interp(limit, x, y)
    return np.trapezoid(np.r_[y[inside], end], np.r_[x[inside], limit]) / limit


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", [_pixels.ALL, "hole", "cut"])
def test_the_measures_are_those_of_a_plain_computation(seed, kind):
    source = task(seed=seed)
    images = np.flatnonzero(np.isin(source["class"], ["good", kind]) | (kind == _pixels.ALL))
    maps, masks, regions = plain(source, images)
    found = _pixels.measures(source, 0.9)[kind]
    assert found["auroc"] == pytest.approx(auroc(maps.ravel(), masks.ravel()))
    assert found["aupro"] == pytest.approx(slow_aupro(maps, masks, regions))
    normal = np.sort(np.kron(source["map"][::3], np.ones((1, 4, 4))).ravel())
    above = maps > normal[len(normal) - int(0.1 * len(normal) + 1e-9) - 1]
    assert found["iou"] == pytest.approx((above & masks).sum() / (above | masks).sum())
    best = max(
        np.unique(maps), key=lambda t: (maps[masks] >= t).mean() - (maps[~masks] >= t).mean()
    )
    over = maps >= best
    assert found["iou_oracle"] == pytest.approx((over & masks).sum() / (over | masks).sum())


def test_a_small_region_counts_as_a_large_one_in_aupro_and_hardly_in_auroc():
    source = task(3)
    source["masks"][:] = 0
    source["masks"][1, :8, :8] = 1
    source["masks"][1, 16:, 16:] = 1
    source["map"][:] = 0
    source["map"][1, :2, :2] = 1  # the large one alone
    found = _pixels.measures(source)["hole"]
    assert found["aupro"] == pytest.approx(0.5 + 0.5 * 0.15)  # of the other what chance finds
    assert found["auroc"] > 0.85


def test_a_perfect_map_has_all_and_a_constant_one_what_chance_has():
    source = task()
    source["masks"] = np.kron(np.round(source["map"]) > 2, np.ones((4, 4))).astype(np.uint8)
    source["masks"][::3] = 0
    source["map"] = source["masks"][:, ::4, ::4].astype(np.float32)
    for found in _pixels.measures(source).values():
        assert found == pytest.approx({"auroc": 1, "aupro": 1, "iou": 1, "iou_oracle": 1})
    source["map"][:] = 7
    found = _pixels.measures(source)[_pixels.ALL]
    assert (found["auroc"], found["aupro"], found["iou"]) == pytest.approx((0.5, 0.15, 0))


def test_nothing_marked_or_no_masks_is_nothing_measured_and_a_kind_without_marks_has_no_row():
    source = task()
    assert _pixels.measures(source | {"masks": None}) == {}
    assert _pixels.measures(source | {"masks": np.zeros_like(source["masks"])}) == {}
    source["masks"][source["class"] == "cut"] = 0
    assert list(_pixels.measures(source)) == [_pixels.ALL, "hole"]
    with pytest.raises(ValueError, match="needs a dataset with masks"):
        segmentation.build()({"maps": [source | {"masks": None}], "labels": {}})


def test_the_table_has_a_row_for_each_kind_and_deviations_over_seeds():
    data = {"maps": [task(), task(seed=1) | {"seed": 1}], "labels": {"m": "Method"}}
    table = segmentation.build()(data)
    assert table["anomaly"].tolist() == [_pixels.ALL, "hole", "cut"]
    assert table["method"].tolist() == ["Method"] * 3
    assert table["runs"].tolist() == [2] * 3
    values = [100 * _pixels.measures(source)["hole"]["aupro"] for source in data["maps"]]
    assert table.loc[1, "AUPRO (0.3)"] == f"{np.mean(values):.1f} ± {np.std(values, ddof=1):.1f}"


@pytest.mark.parametrize("fit", ["squash", "crop", "pad"])
@pytest.mark.parametrize("shape", [(40, 60), (60, 40)])
def test_masks_of_pictures_that_are_no_squares_lie_on_what_they_mark(tmp_path, fit, shape):
    rng = np.random.default_rng(0)
    marked = np.zeros(shape, np.uint8)
    marked[12:18, 14:24] = marked[26:29, 15:18] = 255  # two regions
    pictures = {
        "train/good/0": None,
        "train/good/3": None,
        "test/good/1": None,
        "test/cut/2": marked,
    }
    for name, image in pictures.items():
        picture = rng.integers(80, 120, shape).astype(np.uint8)
        file = tmp_path / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture if image is None else np.maximum(picture, image)).save(file)
    (tmp_path / "ground_truth/cut").mkdir(parents=True)
    Image.fromarray(marked).save(tmp_path / "ground_truth/cut/2_mask.png")
    images = image_folder(path=str(tmp_path), size=40, mode="L", fit=fit).read({})[0]["test"]
    there = images.masks > 0
    assert there.any((1, 2)).tolist() == [name == "cut" for name in np.array(["cut", "good"])[
        [0 if "cut" in one else 1 for one in images.ids]]]  # fmt: skip
    row = int(np.flatnonzero(there.any((1, 2)))[0])
    assert label(there[row], np.ones((3, 3)))[1] == 2
    inside = images.pixels[row, ..., 0][there[row]]
    assert np.median(inside) > 200 > images.pixels[row, ..., 0][~there[row]].mean()
