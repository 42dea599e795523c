"""PatchCore: its coreset and its embedding; maps of patches and what is drawn of them."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from nearnd import catalog, plugins
from nearnd.contracts import Images
from nearnd.detectors._patches import patches
from nearnd.files import tables
from nearnd.files.arrays import save_tensors
from nearnd.files.paths import path
from nearnd.jobs.job import job_seed
from nearnd.metrics.auroc import auroc
from nearnd.networks.coreset import coreset
from nearnd.networks.nearest import nearest
from nearnd.plan.check import check
from nearnd.plan.run import Run
from nearnd.report import reads
from nearnd.tables_figures import _maps, anomaly_maps, localisation
from nearnd.tables_figures._pixels import measures


def normal_rows(n, d, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def distances(rows, others):
    return np.linalg.norm(rows[:, None].astype(np.float64) - others, axis=2)


# ---- coreset ----


@pytest.mark.parametrize("n", [1, 7, 60])
def test_a_coreset_has_different_rows_even_among_copies(n):
    rows = np.repeat(normal_rows(6, 300), 10, axis=0)
    picked = coreset(rows, n, seed=0)
    assert len(set(picked)) == n
    assert set(picked) <= set(range(60))
    assert (coreset(rows, n, seed=0) == picked).all()


@pytest.mark.parametrize("seed", range(5))
def test_a_rare_mode_is_in_the_coreset(seed):
    rows = normal_rows(2000, 256, seed) * 0.01
    rows[-3:] += 5.0
    assert coreset(rows, 2, seed=seed)[0] >= 1997  # the farthest from the anchors
    assert (coreset(rows, 20, seed=seed) < 1997).any()


@pytest.mark.parametrize("seed", range(20))
def test_greedy_is_within_twice_the_best_covering(seed):
    rows = normal_rows(12, 2, seed)
    between = distances(rows, rows)

    def radius(chosen):
        return between[:, list(chosen)].min(axis=1).max()

    for n in (1, 2, 3, 4):
        best = min(radius(chosen) for chosen in combinations(range(12), n))
        greedy = radius(coreset(rows, n, seed=seed, projection=None, anchors=0))
        assert best <= greedy <= 2 * best * (1 + 1e-6)


def test_each_pick_is_the_farthest_from_those_before_it_and_from_the_mean_anchor():
    rows = normal_rows(50, 6)
    picked = coreset(rows, 10, seed=0, projection=None, anchors=50)  # all rows are anchors
    least = distances(rows, rows).mean(axis=1)
    for i in picked:
        assert least[i] == pytest.approx(least.max(), rel=1e-4)
        least = np.minimum(least, distances(rows, rows[i : i + 1])[:, 0])


def test_the_coreset_as_a_bank_keeps_whole_images_and_says_what_is_wrong():
    embedding = {"features": normal_rows(40, 5), "label": np.arange(40)}
    bank = plugins.build("banks", {"kind": "coreset", "rows": 4})(embedding, seed=0)
    assert (embedding["features"][bank["label"]] == bank["features"]).all()
    assert len(bank["label"]) == 4
    embedding["features"][3, 2] = np.nan
    with pytest.raises(ValueError, match="1 of 40 rows are not finite"):
        plugins.build("banks", {"kind": "coreset"})(embedding, seed=0)
    with pytest.raises(ValueError, match=r"share is 1\.5"):
        plugins.check_entry("banks", "", {"kind": "coreset", "share": 1.5})


def test_distances_are_those_of_a_plain_computation_also_far_from_zero():
    bank, queries = normal_rows(300, 20) + 1000, normal_rows(90, 20, 1) + 1000
    queries[0] = bank[7]
    found = nearest(torch.from_numpy(bank), torch.from_numpy(queries), 3).numpy()
    plain = np.sort(distances(queries, bank.astype(np.float64)) ** 2, axis=1)[:, :3]
    assert found == pytest.approx(plain, rel=1e-5)
    assert found[0, 0] == 0


# ---- embedding ----


def averages(vector, n):
    """Adaptive average pooling, by its definition."""
    length = len(vector)
    ends = [(i * length // n, -(-(i + 1) * length // n)) for i in range(n)]
    return np.array([vector[first:last].mean() for first, last in ends])


def neighbourhood(x, row, column):
    """The vector of a 3x3 patch of (C, h, w), channel by channel, zeros beyond the border."""
    return np.pad(x, [(0, 0), (1, 1), (1, 1)])[:, row : row + 3, column : column + 3].ravel()


def upsampled(grid, row, column):
    """The bilinear value of (2, 2, D) at a place of a 4x4 grid, corners not aligned."""
    weights = [(1.0, 0.0), (0.75, 0.25), (0.25, 0.75), (0.0, 1.0)]  # centres at -1/4, 1/4, 3/4, 5/4
    return np.einsum("i,j,ijd->d", weights[row], weights[column], grid)


def test_the_embedding_is_that_of_the_official_code_patch_by_patch():
    rng = np.random.default_rng(0)
    fine, coarse = rng.normal(size=(2, 5, 4, 4)), rng.normal(size=(2, 9, 2, 2))
    found = patches([torch.from_numpy(fine), torch.from_numpy(coarse)], 16, 3).numpy()
    assert found.shape == (2, 4, 4, 16)
    for image in range(2):
        # the official order: the coarse neighbourhoods grow to the fine grid, then are averaged
        grid = np.array([[neighbourhood(coarse[image], i, j) for j in range(2)] for i in range(2)])
        for row in range(4):
            for column in range(4):
                first = averages(neighbourhood(fine[image], row, column), 16)
                second = averages(upsampled(grid, row, column), 16)
                whole = averages(np.concatenate([first, second]), 16)
                assert found[image, row, column] == pytest.approx(whole)


# ---- detector ----


@pytest.fixture(scope="module")
def resnet(tmp_path_factory):
    file = tmp_path_factory.mktemp("backbone") / "resnet18"
    entry = {"kind": "timm", "model": "resnet18", "weights": "none", "resize": 64,
             "kwargs": {"in_chans": 3}}  # fmt: skip
    make = plugins.build("backbones", entry).make
    weights, facts = make(None, [], seed=0, folder=file.parent, progress=lambda *_, **__: None)
    save_tensors(file, weights, **(facts | {"size": 64}))
    return file


def pictures(n, seed=0):
    """Smooth colours with a little grain, 64 pixels."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:64, :64] / 64
    base = np.stack([x, y, x * y], axis=-1) * 200
    return (base + rng.normal(0, 4, (n, 64, 64, 3)) + 20).clip(0, 255).astype(np.uint8)


PATCHCORE = {"kind": "patchcore", "dimension": 128}
BOTH = pytest.mark.parametrize(
    "entry", [PATCHCORE, {"kind": "patch_subspace"}], ids=lambda e: e["kind"]
)


def fitted(backbone, pixels, entry=PATCHCORE, **arguments):
    detector = plugins.build("detectors", entry | arguments)
    images = Images(pixels, np.zeros(len(pixels), int), np.arange(len(pixels)).astype(str))
    detector.fit(images, backbone=backbone, seed=0)
    return detector


def test_a_training_image_has_distance_zero_if_all_patches_are_kept(resnet):
    pixels = pictures(5)
    detector = fitted(resnet, pixels, share=1.0)
    assert detector.net.bank.shape == (5 * 8 * 8, 128)
    old, new = detector.embed(pixels)["map"], detector.embed(pictures(5, 1))["map"]
    assert old.max() < 1e-6 * new.min()


@BOTH
def test_a_foreign_patch_is_where_the_map_is_highest(entry, resnet):
    detector = fitted(resnet, pictures(6), entry)
    pixels = pictures(3, 2)
    for image, (row, column) in zip(pixels, [(0, 40), (24, 8), (48, 48)], strict=True):
        image[row : row + 12, column : column + 12] = [255, 0, 255]
    maps = detector.embed(pixels)["map"]
    for image, (row, column) in zip(maps, [(0, 40), (24, 8), (48, 48)], strict=True):
        found = np.array(np.unravel_index(image.argmax(), image.shape)) * 8 + 4  # patch to pixel
        assert np.abs(found - [row + 6, column + 6]).max() <= 16  # two patches
    score = plugins.build("scores", {"kind": "highest"})
    clean, found = score({}, detector.embed(pictures(3, 3))), score({}, {"map": maps})
    assert found["score"].min() > clean["score"].max()
    assert (found["map"] == maps).all()


@BOTH
def test_scores_do_not_depend_on_the_batch(entry, resnet):
    detector = fitted(resnet, pictures(3), entry)
    pixels = pictures(17, 4)  # 16 in a batch, one is left
    together = detector.embed(pixels)["map"]
    alone = np.concatenate([detector.embed(pixels[i : i + 1])["map"] for i in (0, 16)])
    assert alone == pytest.approx(together[[0, 16]], rel=1e-4)


def test_a_limit_takes_as_many_patches_of_each_image(resnet):
    detector = fitted(resnet, pictures(5), share=1.0, limit=50)
    some, whole = (d.net.bank.numpy() for d in (detector, fitted(resnet, pictures(5), share=1.0)))
    assert len(some) == 50
    image = [np.flatnonzero((whole == row).all(axis=1))[0] // 64 for row in some]
    assert np.bincount(image).tolist() == [10] * 5


@BOTH
def test_what_the_network_does_not_have_is_refused_by_name(entry, resnet):
    with pytest.raises(ValueError, match=r"layer9.*act1, layer1, layer2, layer3, layer4"):
        fitted(resnet, pictures(2), entry, layers=["layer9"])


def test_an_even_neighbourhood_has_no_middle():
    with pytest.raises(ValueError, match="neighbourhood is 2"):
        plugins.build("detectors", {"kind": "patchcore", "neighbourhood": 2})


# ---- maps on pixels ----


def source(n=6, seed=0):
    rng = np.random.default_rng(seed)
    masks = (rng.random((n, 36, 36)) < 0.05).astype(np.uint8)
    classes = np.array(["good", "hole", "cut"] * (n // 3))
    return {
        "dataset": "cups", "normal": "good", "method": "patchcore", "seed": 0, "share": 8 / 9,
        "pixels": rng.integers(0, 256, (n, 36, 36, 3), np.uint8), "masks": masks,
        "class": classes, "is_anomaly": classes != "good",
        "map": rng.random((n, 8, 8)).astype(np.float32),
    }  # fmt: skip


def test_a_map_keeps_its_mean_and_its_place_on_the_pixels():
    assert _maps.on_pixels(np.full((4, 4), 3.0), 224) == pytest.approx(3.0)
    small = np.zeros((28, 28))
    small[9, 20] = 1.0
    large = _maps.on_pixels(small, 224)
    assert np.unravel_index(large.argmax(), large.shape) in [
        (r, c) for r in (75, 76) for c in (163, 164)
    ]  # the middle of 8 * 9 .. 8 * 10 and of 8 * 20 .. 8 * 21
    assert large.sum() == pytest.approx(64, rel=1e-3)
    spread = (large.sum(axis=1) * (np.arange(224) - 75.5) ** 2).sum() / large.sum()
    assert spread == pytest.approx(4**2 + 8**2 / 6, rel=0.02)  # of the blur and of a triangle


def test_the_pixel_auroc_is_that_of_all_pixels_that_the_detector_saw():
    task = source()
    task["map"] = np.round(task["map"])  # ties
    maps = np.stack([_maps.on_pixels(m, 32) for m in task["map"]])
    there = task["masks"][:, 2:34, 2:34]
    found = measures(task, kinds=False)["all anomalies"]["auroc"]
    assert found == pytest.approx(auroc(maps.ravel(), there.ravel() > 0))
    table = localisation.build()({"maps": [task, task | {"seed": 1}]})
    assert table["runs"].tolist() == [2]
    assert table["good"].tolist() == [f"{100 * found:.1f} ± 0.0"]
    with pytest.raises(ValueError, match="needs a dataset with masks"):
        localisation.build()({"maps": [task | {"masks": None}]})


def test_the_figure_shows_the_worst_of_each_class_and_normal_images():
    task = source(30)
    top = {c: task["map"][task["class"] == c].max() for c in ("hole", "cut")}
    rows = anomaly_maps.worst(task, 5)
    assert sorted(task["map"][rows[:2]].max(axis=(1, 2))) == sorted(top.values())
    assert task["class"][rows].tolist().count("good") == 0
    assert len(set(rows)) == 5
    assert (task["class"][anomaly_maps.normal(task, 4)] == "good").all()


def test_the_names_of_rows_are_on_the_figure_with_several_methods():
    methods = 5
    maps = [source(30) | {"method": f"method {i}"} for i in range(methods)]
    figure = anomaly_maps.build()({"maps": maps, "labels": {}})
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    words = [label for ax in figure.axes for label in ax.get_yticklabels() if label.get_text()]
    left = [label.get_window_extent(canvas.get_renderer()).x0 for label in words]
    assert len(left) > 3 * methods
    assert min(left) >= 0


def test_maps_are_gathered_with_their_images_and_the_part_that_the_detector_saw(tmp_path):
    task = source()
    labels = np.array([["good", "hole", "cut"].index(c) for c in task["class"]])
    images = Images(task["pixels"], labels, np.arange(6).astype(str), task["masks"])
    tables.save_images(tmp_path, "test", images, ["good", "hole", "cut"])
    save_tensors(tmp_path / "maps", {"map": task["map"], "row": np.arange(6)})
    save_tensors(tmp_path / "detector", {}, map_share=224 / 256)
    files = {"images": tmp_path / "test.npy", "queries": tmp_path / "maps"}
    files |= {"detector": tmp_path / "detector"}
    about = {key: task[key] for key in ("dataset", "normal", "method", "seed")}
    data = {"maps": reads.READS["maps"].load([about | {"file": files}]), "labels": {}}
    (found,) = data["maps"]
    assert found["share"] == 224 / 256
    assert (found["is_anomaly"] == task["is_anomaly"]).all()
    assert (found["map"] == task["map"]).all()
    pixels, _, masks = _maps.shown(found, [4])
    assert (pixels[0] == task["pixels"][4, 2:34, 2:34]).all()  # 7 / 8 of 36 are 32, rounded
    assert (masks[0] == task["masks"][4, 2:34, 2:34]).all()


def test_a_map_that_a_score_makes_of_bank_and_queries_is_what_drawings_get(tmp_path, monkeypatch):
    whole = catalog.whole(Path(__file__).parents[1] / "config" / "catalog")
    experiment = {"dataset": "digits", "normals": ["3"], "methods": ["pixels"]}
    whole["experiments"]["places"] = experiment | {"drawings": ["anomaly_maps"]}
    asked = whole | {"run": ["places"], "seeds": [0], "mirrors": []}
    plain = plugins.constant

    def stated(stage, kind, what, default=None):
        return True if (kind, what) == ("knn", "MAP") else plain(stage, kind, what, default)

    def places(bank, queries, *, seed):
        away = queries["features"].reshape(-1, 8, 8) - bank["features"].reshape(-1, 8, 8).mean(0)
        assert seed == job_seed("0", "score", wildcards)
        return {"score": away.max((1, 2)), "map": away}

    monkeypatch.setattr(plugins, "constant", stated)
    check(asked)
    (planned,) = reads.READS["maps"].sources(Run(asked), "places")
    wildcards = {key: str(planned[key]) for key in ("dataset", "normal", "method", "seed")}
    wildcards["images"] = "test"
    assert planned["file"]["scores"] == path("scores", **wildcards)
    assert planned["entry"]["kind"] == "knn"

    x = np.random.default_rng(0).random((9, 64), np.float32)
    images = Images(np.zeros((4, 8, 8, 1), np.uint8), np.arange(4), np.arange(4).astype(str))
    tables.save_images(tmp_path, "test", images, ["0", "1", "2", "3"])
    save_tensors(tmp_path / "queries", {"features": x[:4], "row": np.arange(4)})
    save_tensors(tmp_path / "bank", {"features": x[4:]})
    save_tensors(tmp_path / "detector", {})
    files = {name: tmp_path / name for name in planned["file"]} | {"images": tmp_path / "test.npy"}
    monkeypatch.setattr(plugins, "build", lambda stage, entry: places)
    (found,) = reads.READS["maps"].load([planned | {"file": files}])
    assert np.allclose(found["map"], (x[:4] - x[4:].mean(0)).reshape(4, 8, 8), atol=1e-6)


def test_a_figure_of_maps_without_a_method_that_has_some_is_refused():
    whole = catalog.whole(Path(__file__).parents[1] / "config" / "catalog")
    bad = {"dataset": "digits", "normals": "each", "methods": ["pixels"]}
    whole["experiments"]["bad"] = bad | {"drawings": ["anomaly_maps"]}
    with pytest.raises(ValueError, match=r"anomaly_maps shows anomaly maps.*such as patchcore"):
        check(whole | {"run": ["bad"], "seeds": [0], "mirrors": []})
