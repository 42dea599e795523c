"""What contracts.py promises, for every plugin there is: a new file is tested by being there."""

from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from nearnd import plugins
from nearnd.contracts import Images, score_of, silent
from nearnd.plugins import constant

ROOT = Path(__file__).parents[1]
READS = {"metrics", "scores", "fidelity", "fakes", "samples", "images", "samplers",
         "slices", "overlap", "closeness", "published", "maps"}  # fmt: skip


def kinds(stage):
    return pytest.mark.parametrize("kind", plugins.available(stage))


def build(stage, kind, **arguments):
    return plugins.build(stage, {"kind": kind, **arguments})


def points(n, seed, shift=0.0, d=5):
    return (np.random.default_rng(seed).normal(size=(n, d)) + shift).astype(np.float32)


@kinds("metrics")
def test_metrics_depend_on_ranks_alone_and_refuse_an_empty_group(kind):
    metric = build("metrics", kind)
    rng = np.random.default_rng(0)
    label = rng.random(200) < 0.3
    score = rng.normal(size=200) + label
    value = metric(score, label)
    assert isinstance(value, float)
    assert 0 <= value <= 1
    assert metric(np.exp(3 * score), label) == pytest.approx(value)
    order = rng.permutation(200)
    assert metric(score[order], label[order]) == pytest.approx(value)
    with pytest.raises(ValueError, match=r"."):
        metric(score, np.zeros(200, bool))


def logits(n, seed, shift=0.0):
    """Of three classes in turn; the bank's (seed 0) scatter most. Shift 8: all alike, and lower."""
    sure = (8 - shift) * np.eye(3)[np.arange(n) % 3] + 3 / 8 * shift
    return (sure + points(n, seed, d=3) / (1 + 4 * seed)).astype(np.float32)


# What detectors embed, drawn anew: normal for shift 0, more anomalous the larger the shift.
ARRAYS = {
    "features": points,
    "logits": logits,
    "logit": lambda n, seed, shift=0.0: points(n, seed, shift, d=1)[:, 0],
    "errors": lambda n, seed, shift=0.0: np.exp(points(n, seed, shift)),
    "map": lambda n, seed, shift=0.0: points(n, seed, shift, d=12).reshape(n, 3, 4),
}


def embedding(kind, n, seed, shift=0.0):
    return {name: ARRAYS[name](n, seed, shift) for name in constant("scores", kind, "READS")}


@kinds("scores")
def test_scores_rise_with_the_distance_from_normal(kind):
    score = build("scores", kind)
    bank = {}
    if constant("scores", kind, "BANK", True):
        bank = embedding(kind, 60, 0) | {"label": np.arange(60) % 3}
    near, far = embedding(kind, 30, 1), embedding(kind, 30, 2, shift=8.0)
    queries = {name: np.concatenate([near[name], far[name]]) for name in near}
    found = score(bank, queries, seed=1)
    values = score_of(found)
    if isinstance(found, dict):
        assert set(found) == {"score", "map"}
        assert found["map"].dtype == np.float32
        assert found["map"].shape[0] == 60
        assert found["map"].ndim == 3
    assert values.dtype == np.float32
    assert values.shape == (60,)
    assert values[:30].max() < values[30:].min()
    assert (score_of(score(bank, queries, seed=1)) == values).all()
    order = np.random.default_rng(3).permutation(60)
    shuffled = score(bank, {name: array[order] for name, array in queries.items()}, seed=1)
    assert np.allclose(score_of(shuffled), values[order], rtol=1e-5)
    one = score(bank, {name: array[:1] for name, array in queries.items()}, seed=1)
    assert score_of(one) == pytest.approx(values[:1], rel=1e-5)


@kinds("banks")
def test_banks_keep_rows_of_what_they_got(kind):
    embedding = {"features": points(40, 0), "logit": points(40, 1, d=1)[:, 0]}
    kept = build("banks", kind)(embedding, seed=0)
    assert kept.keys() == embedding.keys()
    rows = [np.flatnonzero((embedding["features"] == row).all(1)) for row in kept["features"]]
    assert all(len(row) == 1 for row in rows)
    assert (kept["logit"] == embedding["logit"][np.concatenate(rows)]).all()


@kinds("fidelity")
def test_fidelity_tells_the_same_law_from_a_shifted_one(kind):
    measure = build("fidelity", kind)
    real, same, other = points(200, 0), points(200, 1), points(200, 2, shift=3.0)
    good, bad = measure(real, same), measure(real, other)
    assert isinstance(good, float)
    better = good < bad if kind in ("frechet", "kid") else good > bad  # a distance, or a share
    assert better
    order = np.random.default_rng(3).permutation(200)
    assert measure(real[order], same) == pytest.approx(good, rel=1e-4, abs=1e-6)


@kinds("closeness")
def test_closeness_is_a_share_for_each_class_and_finds_the_near_one(kind):
    features = np.concatenate([points(40, c, shift=3.0 * c) for c in range(4)])
    normals = [points(30, 9, 6.4), points(30, 8, 2.6)]
    close = build("closeness", kind)(features, np.repeat(np.arange(4), 40), normals)
    assert close.shape == (2, 4)
    assert close.sum(axis=1) == pytest.approx(1)
    assert list(close.argmax(axis=1)) == [2, 1]
    alone = build("closeness", kind)(features, np.repeat(np.arange(4), 40), normals[1:])
    assert alone[0] == pytest.approx(close[1])


SELF_CONTAINED = [
    kind
    for kind in plugins.available("datasets")
    if not constant("datasets", kind, "ARCHIVES")
    and not constant("datasets", kind, "NEEDS")
    and kind != "image_folder"
]


@pytest.mark.parametrize("kind", SELF_CONTAINED)
def test_datasets_are_uint8_labelled_disjoint_and_the_same_twice(kind):
    splits, classes = build("datasets", kind).read({})
    again, _ = build("datasets", kind).read({})
    assert classes == constant("datasets", kind, "CLASSES")
    for split, images in splits.items():
        assert images.pixels.dtype == np.uint8
        assert images.pixels.ndim == 4
        assert images.pixels.shape[-1] in (1, 3)
        assert len(images.pixels) == len(images.labels) == len(set(images.ids))
        assert set(images.labels) == set(range(len(classes)))
        assert (again[split].pixels == images.pixels).all()
    assert not set(splits["train"].ids) & set(splits["test"].ids)


@pytest.fixture(scope="module")
def backbones(tmp_path_factory):
    """A file of random weights for each kind of backbone that a detector can start from."""
    import torch_fidelity.feature_extractor_inceptionv3 as port

    from nearnd.files.arrays import save_tensors

    folder = tmp_path_factory.mktemp("backbones")
    with (
        patch.object(port, "load_state_dict_from_url", lambda *_, **__: {}),
        patch.object(port.FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None),
    ):
        net = port.FeatureExtractorInceptionV3("inception", ["2048"])
    save_tensors(folder / "inception", {k: t.numpy() for k, t in net.state_dict().items()})
    small = {"img_size": 8, "patch_size": 4, "embed_dim": 16, "depth": 2, "num_heads": 2}
    entry = {"model": "vit_tiny_patch16_224", "weights": "none", "kwargs": small}
    weights, facts = build("backbones", "timm", **entry).make(
        None, [], seed=0, folder=folder, progress=lambda *_, **__: None
    )
    save_tensors(folder / "vit", weights, **facts)
    return folder


SHORT = {"epochs": 3, "ae_epochs": 3, "iterations": 5, "batch": 8}
HARDER = {  # what a training must remember beyond its weights
    "deep_svdd": {"objective": "soft_boundary", "warm_up": 0},
    "panda": {"ewc": 100.0},
    "binary": {"momentum": 0.9},
}


def a_detector(kind, backbones, channels, *, seed=3, folder=None, **options):
    """A fitted one of any kind, and images to embed."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (11, 8, 8, channels)).astype(np.uint8)
    needs = constant("detectors", kind, "NEEDS")
    known = plugins.arguments("detectors", kind)
    short = {key: value for key, value in SHORT.items() if key in known}
    detector = build("detectors", kind, **short | {k: v for k, v in options.items() if k in known})
    detector.fit(
        Images(pixels, np.arange(11) % 3, np.arange(11).astype(str)),
        outliers=255 - pixels if "outliers" in needs else None,
        backbone=backbones / ("inception" if kind == "inception" else "vit")
        if "backbone" in needs
        else None,
        seed=seed,
        folder=folder,
        progress=options.get("progress", silent),
    )
    return detector, pixels


@kinds("detectors")
@pytest.mark.parametrize("channels", [1, 3])
def test_detectors_embed_each_image_by_itself_and_survive_a_file(
    kind, channels, backbones, tmp_path
):
    detector, pixels = a_detector(kind, backbones, channels)
    seeds = np.random.default_rng(1).integers(0, 2**64, 11, np.uint64)
    embedding = detector.embed(pixels, seeds=seeds)
    assert list(embedding) == constant("detectors", kind, "EMBEDS")
    steps = []
    alone = detector.embed(
        pixels[7:8], seeds=seeds[7:8], progress=lambda step, total, **_: steps.append((step, total))
    )
    assert set(steps) <= {(1, 1)}
    none = detector.embed(pixels[:0], seeds=seeds[:0])
    detector.save(tmp_path / "file")
    loaded = build("detectors", kind)  # what shapes it stands in its file
    loaded.load(tmp_path / "file")
    twin, _ = a_detector(kind, backbones, channels)
    for name, array in embedding.items():
        assert array.dtype == np.float32
        assert len(array) == 11
        assert np.isfinite(array).all()
        assert np.allclose(alone[name][0], array[7], rtol=1e-3, atol=1e-4)
        assert none[name].shape == (0, *array.shape[1:])
        for again in (loaded, twin):  # the same seed, the same bytes
            assert (again.embed(pixels, seeds=seeds)[name] == array).all()


@kinds("detectors")
def test_a_killed_fit_goes_on_to_the_same_bytes(kind, backbones, tmp_path, monkeypatch):
    """Early and late: of two trainings, one after the other, in the first and in the second."""
    from nearnd.detectors import _trained

    class Killed(Exception):
        pass

    def die(step, total, **values):
        if step >= share * total:
            raise Killed

    plain, steps = _trained.train, []
    monkeypatch.setattr(_trained, "train", lambda *a, **k: plain(*a, **k, save_every=0.0))
    more = HARDER.get(kind, {}) | {"progress": lambda step, total, **_: steps.append((step, total))}
    detector, pixels = a_detector(kind, backbones, 1, folder=tmp_path / "whole", **more)
    if not (tmp_path / "whole").exists():
        return  # nothing is trained
    whole, count = detector.embed(pixels), len(steps)
    assert steps == [(i + 1, count) for i in range(count)]
    for share in (0.3, 0.6):
        folder = tmp_path / f"part{share}"
        with pytest.raises(Killed):
            a_detector(kind, backbones, 1, folder=folder, **more | {"progress": die})
        steps.clear()
        rest, _ = a_detector(kind, backbones, 1, folder=folder, **more)
        assert 0 < len(steps) < count
        assert all((rest.embed(pixels)[name] == array).all() for name, array in whole.items())
    other, _ = a_detector(kind, backbones, 1, seed=4, **more)
    assert any((other.embed(pixels)[name] != array).any() for name, array in whole.items())


@kinds("detectors")
def test_a_detector_says_what_it_needs(kind):
    needs = constant("detectors", kind, "NEEDS")
    assert set(needs) <= {"backbone", "outliers", "labels"}
    if needs:
        detector = build("detectors", kind)
        images = Images(np.zeros((4, 8, 8, 3), np.uint8), np.zeros(4, int), np.array(list("abcd")))
        with pytest.raises(ValueError, match=r"entry"):
            detector.fit(images, outliers=None, backbone=None, seed=0, folder=None)


@kinds("tables_figures")
def test_drawings_say_what_they_make_and_read_and_have_a_caption(kind):
    assert constant("tables_figures", kind, "MAKES") in ("table", "figure")
    assert set(constant("tables_figures", kind, "READS")) <= READS
    caption = (ROOT / "workflow" / "report" / f"{kind}.rst").read_text()
    assert len(caption.split()) >= 15
