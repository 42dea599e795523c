"""What contracts.py promises, for every plugin there is: a new file is tested by being there."""

from contextlib import suppress
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch

from nearnd import plugins, values
from nearnd.contracts import Images, score_of, silent
from nearnd.files.snapshots import snapshots
from nearnd.generators._discrete import DDPM, SMLD
from nearnd.generators._noise import ImageNoise
from nearnd.generators._reference import FREQUENCIES, slots
from nearnd.generators._sde import VE, VP, SubVP
from nearnd.networks.unet import UNet
from nearnd.plugins import constant
from nearnd.report.reads import READS

ROOT = Path(__file__).parents[1]


def kinds(stage):
    return pytest.mark.parametrize("kind", plugins.available(stage))


def build(stage, kind, **arguments):
    return plugins.build(stage, {"kind": kind, **arguments})


def toy(stage, kind):
    """A kind as small as it can be, and in need of no file from outside."""
    return build(stage, kind, **constant(stage, kind, "TOY", {}))


def points(n, seed, shift=0.0, d=5):
    return (np.random.default_rng(seed).normal(size=(n, d)) + shift).astype(np.float32)


@kinds("metrics")
def test_metrics_depend_on_ranks_alone_and_refuse_an_empty_group(kind):
    metric = build("metrics", kind)
    rng = np.random.default_rng(0)
    label = rng.random(200) < 0.3
    score = rng.normal(size=200) + label
    classes = rng.choice(["a", "b", "c"], 200)
    answers = {"classes": classes, "predicted": np.where(rng.random(200) < 0.7, classes, "a")}
    asked = plugins.taken(metric, answers)  # whose answers count
    value = metric(score, label, **asked)
    assert isinstance(value, float)
    assert 0 <= value <= 1
    assert metric(np.exp(3 * score), label, **asked) == pytest.approx(value)
    order = rng.permutation(200)
    moved = {name: array[order] for name, array in asked.items()}
    assert metric(score[order], label[order], **moved) == pytest.approx(value)
    with pytest.raises(ValueError, match=r"."):
        metric(score, np.zeros(200, bool), **asked)


def projections(n, seed, shift=0.0):
    """Of three shifts (n, 3, 4), about one direction; shift 8: shorter, and in others."""
    return (points(3 * n, seed, d=4).reshape(n, 3, 4) + (9 - shift) * np.eye(4)[:3]).astype("f4")


def logits(n, seed, shift=0.0):
    """Of three classes in turn; the bank's (seed 0) scatter most. Shift 8: all alike, and lower."""
    sure = (8 - shift) * np.eye(3)[np.arange(n) % 3] + 3 / 8 * shift
    return (sure + points(n, seed, d=3) / (1 + 4 * seed)).astype(np.float32)


def answers(n, seed, shift=0.0):
    """log p (n, 2, 3) of three answers, the second of which is right. Shift 8: all alike."""
    f = points(2 * n, seed, d=3).reshape(n, 2, 3) / (1 + 4 * seed) + (8 - shift) * np.eye(3)[1]
    return (f - np.log(np.exp(f).sum(2, keepdims=True))).astype(np.float32)


# What detectors embed, drawn anew: normal for shift 0, more anomalous the larger the shift.
ARRAYS = {
    "features": points,
    "projections": projections,
    "hard_logits": lambda n, seed, shift=0.0: points(n, seed, [4 - shift, shift - 4], d=2),
    "shift_logits": lambda n, seed, shift=0.0: points(n, seed, 9 - shift, d=3),
    "logits": logits,
    "logit": lambda n, seed, shift=0.0: points(n, seed, shift, d=1)[:, 0],
    "errors": lambda n, seed, shift=0.0: np.exp(points(n, seed, shift)),
    "log_p": answers,
    "right": lambda n, seed, shift=0.0: answers(n, seed, shift)[:, :, 1:2],
    "map": lambda n, seed, shift=0.0: points(n, seed, shift, d=12).reshape(n, 3, 4),
    "latent": points,
    "image": lambda n, seed, shift=0.0: points(n, seed, shift, d=12).reshape(n, 2, 2, 3),
    "decoded": lambda n, seed, shift=0.0: points(n, seed, shift, d=12).reshape(n, 2, 2, 3),
}


# GradNorm expects what is far from normal to excite fewer features.
OTHER = {"gradnorm": {"features": lambda n, seed, shift=0.0: points(n, seed, 9 - shift)}}


def embedding(kind, n, seed, shift=0.0):
    arrays = ARRAYS | OTHER.get(kind, {})
    return {name: arrays[name](n, seed, shift) for name in constant("scores", kind, "READS")}


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


ENDS = [(kind, name) for kind in plugins.available("scores")
        for name, value in plugins.defaults("scores", kind).items()
        if isinstance(value, int | float) and not isinstance(value, bool)]  # fmt: skip


@pytest.mark.parametrize(("kind", "name"), ENDS)
def test_the_least_numbers_that_a_config_allows_give_scores_or_a_sentence(kind, name):
    least = (values.RANGES | constant("scores", kind, "RANGES", {})).get(name, (0, 0))[0]
    entry = {"kind": kind, name: max(least, 1e-6) if 0 < least < 1 else least}
    bank = embedding(kind, 60, 0) | {"label": np.arange(60) % 3}
    try:
        plugins.check_entry("scores", "x", entry)
        found = plugins.build("scores", entry)(bank, embedding(kind, 9, 1), seed=0)
        wrong = "" if np.isfinite(score_of(found)).all() else "the scores"
    except ValueError as error:
        wrong = "" if name in str(error) else str(error)
    assert not wrong


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
    distance = plugins.constant("fidelity", kind, "DISTANCE", False)
    better = good < bad if distance else good > bad
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
    weights, facts = toy("backbones", "timm").make(
        None, [], seed=0, folder=folder, progress=lambda *_, **__: None
    )
    save_tensors(folder / "vit", weights, **facts)
    return folder


SHORT = {"epochs": 3, "ae_epochs": 3, "iterations": 5, "batch": 8, "width": 1}
SHORT |= {"ensemble": 2, "head_epochs": 3, "search": 4}
SHORT |= {"members": 2, "passes": 2, "tune_epochs": 2}
HARDER = {  # what a training must remember beyond its weights
    "deep_svdd": {"objective": "soft_boundary", "warm_up": 0},
    "panda": {"ewc": 100.0},
    "binary": {"momentum": 0.9},
    "unode_pretrained": {"frozen_epochs": 1},
}


def a_detector(kind, backbones, channels, *, seed=3, folder=None, **options):
    """A fitted one of any kind, and images to embed."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (11, 8, 8, channels)).astype(np.uint8)
    needs = constant("detectors", kind, "NEEDS")
    known = plugins.arguments("detectors", kind)
    short = {key: value for key, value in SHORT.items() if key in known}
    if plugins.defaults("detectors", kind).get("depth") == 40:  # layers of a wide network
        short["depth"] = 10
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
    pixels = pixels[5:9]
    seeds = np.random.default_rng(1).integers(0, 2**64, 4, np.uint64)
    embedding = detector.embed(pixels, seeds=seeds)
    assert list(embedding) == constant("detectors", kind, "EMBEDS")
    steps = []
    alone = detector.embed(
        pixels[2:3], seeds=seeds[2:3], progress=lambda step, total, **_: steps.append((step, total))
    )
    assert set(steps) <= {(1, 1)}
    none = detector.embed(pixels[:0], seeds=seeds[:0])
    detector.save(tmp_path / "file")
    loaded = build("detectors", kind)  # what shapes it stands in its file
    loaded.load(tmp_path / "file")
    twin, _ = a_detector(kind, backbones, channels)
    for name, array in embedding.items():
        assert array.dtype == np.float32
        assert len(array) == 4
        assert np.isfinite(array).all()
        assert np.allclose(alone[name][0], array[2], rtol=1e-3, atol=1e-4)
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

    steps = []
    for name in ("train", "loop"):
        plain = partial(getattr(_trained, name), save_every=0.0)
        monkeypatch.setattr(_trained, name, plain)
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
    assert set(constant("tables_figures", kind, "READS")) <= set(READS)
    caption = (ROOT / "workflow" / "report" / f"{kind}.rst").read_text()
    assert len(caption.split()) >= 15


@pytest.fixture
def offline(monkeypatch):
    def refuse(*_, **__):
        pytest.fail("asks the network")

    monkeypatch.setenv("NEARND_OFFLINE", "1")
    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)


FROM_OUTSIDE = [k for k in plugins.available("backbones") if constant("backbones", k, "FILES")]
COMPLETE = [k for k in plugins.available("backbones")
            if k not in FROM_OUTSIDE or constant("backbones", k, "TOY")]  # fmt: skip


@pytest.mark.parametrize("kind", COMPLETE)
def test_backbones_describe_a_network_that_embeds_and_give_the_same_bytes_twice(
    kind, offline, tmp_path
):
    import torch

    from nearnd.files.arrays import save_tensors
    from nearnd.networks.backbone import features, load_backbone
    from nearnd.networks.transform import View, view

    pixels = np.random.default_rng(0).integers(0, 256, (24, 8, 8, 1)).astype(np.uint8)
    images = Images(pixels, np.arange(24) % 2, np.arange(24).astype(str))

    def file(name, seed=1):
        made = toy("backbones", kind).make(
            images, ["a", "b"], seed=seed, folder=tmp_path / name, progress=silent
        )
        save_tensors(tmp_path / f"{name}.safetensors", made[0], **made[1])
        return tmp_path / f"{name}.safetensors"

    one, two, other = file("one"), file("two"), file("other", seed=2)
    assert one.read_bytes() == two.read_bytes()
    entry = plugins.defaults("backbones", kind) | (constant("backbones", kind, "TOY") or {})
    seeded = plugins.call("backbones", {"kind": kind} | entry, "seeded")
    assert bool(seeded) == (one.read_bytes() != other.read_bytes())
    net, facts = load_backbone(one)
    how = View(facts["resize"], facts["size"], facts["mean"], facts["std"]).check()
    with torch.inference_mode():
        h = features(net, view(pixels, how)).numpy()  # (N, D)
    assert h.dtype == np.float32
    assert h.shape == (24, net.num_features)
    assert np.isfinite(h).all()
    assert len(np.unique(h, axis=0)) == 24


FETCHED = [
    k for k in FROM_OUTSIDE if "pretrained" in constant("backbones", k, "FILES")["weights"]["words"]
]


@pytest.mark.parametrize("kind", FETCHED)  # others name a file, which is fetched before
def test_backbones_from_outside_say_where_their_file_may_be_put(kind, offline, tmp_path):
    with pytest.raises(OSError, match=r"NEARND_OFFLINE is set") as error:
        build("backbones", kind).make(None, [], seed=0, folder=tmp_path, progress=silent)
    for argument in constant("backbones", kind, "FILES"):
        assert f"`{argument}: <that file>`" in str(error.value)


@pytest.fixture(params=[1, 3])
def sources(request, tmp_path, monkeypatch):
    """All that fakes are ever drawn from; nothing of it may be written to."""
    from PIL import Image

    shape, rng = (8, 8, request.param), np.random.default_rng(0)
    pixels = rng.integers(0, 256, (45, *shape)).astype(np.uint8)
    pixels.flags.writeable = False
    monkeypatch.chdir(tmp_path)
    for i, image in enumerate(pixels[15:30]):
        file = Path("pictures", "cat" if i < 11 else "dog", f"{i}.png")
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.squeeze()).save(file)

    def sample(snapshot, seeds):
        draw = [np.random.default_rng(int(seed)).integers(0, 256, shape) for seed in seeds]
        return np.stack(draw).astype(np.uint8)

    def noised(snapshot, seeds, images, strength):
        return images // 2 + sample(snapshot, seeds) // 2

    fidelity = [{"step": s, "frechet": d} for s, d in [(1, 300.0), (2, 90.0), (4, 41.0), (8, 10.0)]]
    return {
        "normal": pixels[:15], "sample": sample, "noised": noised, "snapshots": "x",
        "fidelity": fidelity,
        "others": pixels[30:], "names": np.repeat(["a", "b", "c"], 5),
        "classes": {"dog": False, "cat": True},
    }  # fmt: skip


def drawn(kind, n, seed, sources):
    fakes = toy("fakes", kind)
    return fakes.draw(n, seed=seed, **plugins.taken(fakes.draw, sources))


@kinds("fakes")
def test_fakes_are_images_like_the_normal_ones_and_fewer_are_part_of_more(kind, sources):
    few, _ = drawn(kind, 4, 1, sources)
    many, facts = drawn(kind, 9, 1, sources)
    assert many.dtype == np.uint8
    assert many.shape == (9, *sources["normal"].shape[1:])
    assert {image.tobytes() for image in few} < {image.tobytes() for image in many}
    assert len({image.tobytes() for image in many}) == 9
    assert (drawn(kind, 9, 1, sources)[0] == many).all()
    assert (drawn(kind, 9, 2, sources)[0] != many).any()
    assert drawn(kind, 9, 1, sources)[1] == facts
    for value in facts.values():  # for a table
        assert isinstance(value, str) or np.isfinite(value)


@kinds("fakes")
def test_fakes_that_cannot_be_drawn_are_refused(kind, sources):
    nothing = {"fidelity": [{"step": 1}], "classes": {"bird": True}}
    nothing |= {name: sources[name][:0] for name in ("others", "names", "normal")}
    with pytest.raises(ValueError, match=r"there are|has no|measure"):
        drawn(kind, 4, 1, sources | nothing)


# ---- generators and samplers ----


def checkpoint_of(file, model):
    """A file of the official code with the weights of a network of this entry."""
    net = UNet(size=8, channels=1, **plugins.build("generators", model).network)
    tensors = {s.name: s.target.mT if s.matrix else s.target for s in slots(net)}
    shadow = [t for name, t in tensors.items() if name != FREQUENCIES]
    model = {f"module.{name}": t for name, t in tensors.items()}
    torch.save({"model": model, "ema": {"shadow_params": shadow}, "step": 12}, file)


@kinds("generators")
def test_generators_keep_to_their_plan_and_an_image_depends_on_its_seed_alone(
    kind, tmp_path, monkeypatch
):
    monkeypatch.setenv("NEARND_DEVICE", "cpu")
    arguments = dict(constant("generators", kind, "TOY", {}))
    for name in constant("generators", kind, "FILES", {}):  # a file from outside
        arguments[name] = str(tmp_path / "file")
        checkpoint_of(tmp_path / "file", arguments["model"])
    generator = build("generators", kind, **arguments)
    pixels = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 1)).astype(np.uint8)
    # what the monitor asks it for: a method of that name for something else stopped every run
    assert hasattr(generator, "facts") == bool(constant("generators", kind, "FACTS", {}))

    def train(folder, progress=silent, ends=False):
        seen = []
        (tmp_path / folder).mkdir(exist_ok=True)
        generator.train(
            pixels,
            labels=np.arange(12) % 2,
            seed=3,
            folder=tmp_path / folder,
            monitor=lambda step, file: seen.append((step, file)) or ends,
            progress=progress,
        )
        return dict(seen)

    whole, plan = train("whole"), generator.plan()
    assert list(whole) == plan.snapshots == sorted(set(plan.snapshots))
    assert whole == snapshots(tmp_path / "whole")
    assert plan.steps == plan.snapshots[-1]

    def kill(step, total, **_):
        if step == total // 2 + 1:
            raise InterruptedError

    with suppress(InterruptedError):
        train("killed", kill)
    assert list(train("ended", ends=True)) == plan.snapshots[:1]
    for folder in ("killed", "ended"):  # go on, to the same bytes
        train(folder)
        for step, file in snapshots(tmp_path / folder).items():
            assert file.read_bytes() == whole[step].read_bytes()

    seeds = np.array([5, 2**40 + 5, 9, 5, 2**63 + 1, 0], dtype=np.uint64)
    last = whole[plan.steps]
    images = generator.sample(last, seeds)
    assert images.dtype == np.uint8
    assert images.shape == (6, 8, 8, 1)
    assert (images[0] == images[3]).all()
    assert (images[0] != images[1]).any()  # all 64 bits of a seed count
    assert (generator.sample(last, seeds[::-1])[::-1] == images).all()
    assert (generator.sample(last, seeds[2:3])[0] == images[2]).all()
    if "sampler" in plugins.arguments("generators", kind):
        counted, calls = generator.sample_counted(last, seeds)
        assert (counted == images).all()
        assert calls == plan.calls


PROCESSES = [
    VE(0.01, 50.0),
    VP(),
    SubVP(),
    SMLD(0.01, 50.0, num_scales=1000),
    DDPM(num_scales=1000),
]


@kinds("samplers")
@pytest.mark.parametrize("sde", PROCESSES, ids=lambda sde: type(sde).__name__)
def test_samplers_give_back_the_law_of_an_exact_score_each_image_by_itself(kind, sde):
    settings = constant("samplers", kind, "TOY", {})
    process = {"sde": sde.name, "continuous": type(sde) not in (SMLD, DDPM)}
    try:
        plugins.call("samplers", {"kind": kind, **settings, **process}, "check")
    except ValueError as error:
        pytest.skip(str(error))
    mean, spread = 0.5, 0.25

    def score(x, t):
        m, std = (a[:, None, None, None] for a in sde.marginal(t))
        return -(x - m * mean) / ((spread * m) ** 2 + std**2)

    def draw(*seeds):
        noise = ImageNoise(np.array(seeds), (3, 8, 8), torch.device("cpu"))
        return build("samplers", kind, **settings)(sde, score, noise)

    x = draw(*range(100))
    assert x.dtype == torch.float32
    assert x.shape == (100, 3, 8, 8)
    assert float(x.mean()) == pytest.approx(mean, abs=0.02)
    assert float(x.std()) == pytest.approx(spread, rel=0.06)
    assert torch.allclose(draw(7)[0], x[7], rtol=1e-5, atol=1e-6)
