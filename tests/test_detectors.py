"""Detectors: the features of pixels and backbones, and FITYMI's fine-tuning."""

import shutil

import numpy as np
import pytest
import torch
from torch import nn

from nearnd import plugins
from nearnd.contracts import About, Images, silent
from nearnd.detectors import _trained, _views, binary, colour, frozen, pixels
from nearnd.detectors._freeze import freeze as freeze_blocks
from nearnd.detectors._trained import Given, view_of
from nearnd.detectors._views import Views
from nearnd.detectors.binary import add_dropout
from nearnd.networks import precision, transform
from nearnd.networks.backbone import (
    Classifier,
    blocks,
    create,
    describe,
    load_backbone,
    save_backbone,
)

VIT = "vit_tiny_patch16_224"
TINY = {"img_size": 8, "patch_size": 4, "embed_dim": 16, "depth": 4, "num_heads": 2}
LITE = "tf_efficientnet_lite0"
CNN_QUICK = {"epochs": 1, "resize": 32, "crop": 32}
QUICK = {"epochs": 2, "batch": 8, "lr": 0.05, "crop": 8, "resize": 10}


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def as_images(pixels):
    return Images(pixels, np.zeros(len(pixels), np.int64), np.arange(len(pixels)).astype(str))


def save_vit(path, channels):
    torch.manual_seed(0)
    kwargs = TINY | {"in_chans": channels}
    model = create({"model": VIT, "kwargs": kwargs})
    save_backbone(path, model, describe(model, VIT, kwargs, 0.5, 0.5, resize=10))
    return path


@pytest.fixture(params=[1, 3])
def channels(request):
    return request.param


@pytest.fixture
def backbone(tmp_path, channels):
    return save_vit(tmp_path / "backbone.safetensors", channels)


@pytest.fixture(scope="session")
def cnn(tmp_path_factory):
    """Of inverted residuals, with batch norm; its statistics are those of noise, not 0 and 1."""
    torch.manual_seed(0)
    model = create({"model": LITE, "kwargs": {}}).train()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        model(torch.randn(16, 3, 32, 32))
    path = tmp_path_factory.mktemp("cnn") / "cnn.safetensors"
    save_backbone(path, model, describe(model, LITE, {}, 0.5, 0.5, resize=32))
    return path


def fitted(
    backbone, channels, folder=None, seed=0, images=20, fakes=15, progress=silent, **options
):
    detector = binary.build(**QUICK | options)
    detector.fit(
        as_images(noise(images, 12, 12, channels)),
        outliers=noise(fakes, 12, 12, channels, seed=1) // 2,
        backbone=backbone, seed=seed, folder=folder, progress=progress,
    )  # fmt: skip
    return detector


def weights(detector):
    return {name: t.clone() for name, t in detector.net.state_dict().items()}


# ---- pixels ----


def test_pixels_are_the_image_between_0_and_1(tmp_path):
    images = noise(3, 4, 5, 3)
    images[0, 0, 0, :2] = 0, 255
    detector = pixels.build()
    detector.fit(None)
    h = detector.embed(images)["features"]
    assert h.dtype == np.float32
    assert np.array_equal(np.round(h * 255).astype(np.uint8).reshape(images.shape), images)
    assert (h.min(), h.max()) == (0.0, 1.0)
    detector.save(tmp_path / "d.safetensors")
    pixels.build().load(tmp_path / "d.safetensors")


def test_pixels_of_large_images_are_bounded():
    """What a thousand images of 256 pixels take does not depend on how large they were."""
    images = noise(300, 64, 64, 3)
    h = pixels.build().embed(images)["features"]
    assert h.shape == (300, 3 * 32**2)
    assert np.array_equal(
        pixels.build(side=64).embed(images)["features"][7] * 255, images[7].ravel()
    )
    assert np.array_equal(h[290], pixels.build().embed(images[290:291])["features"][0])
    assert np.abs(h.mean(1) - images.mean((1, 2, 3)) / 255).max() < 0.01


# ---- colour ----


def colours(image: np.ndarray) -> np.ndarray:
    """mean, deviation, mean and deviation of the gradient: (4, C)."""
    return colour.build().embed(image[None])["features"].reshape(4, -1)


def test_colour_of_an_even_image_is_its_value():
    even = np.full((5, 7, 3), (0, 51, 255), np.uint8)
    assert np.allclose(colours(even), [[0, 0.2, 1], [0] * 3, [0] * 3, [0] * 3])
    assert np.allclose(colours(even[:1, :1]), colours(even))  # one pixel has no gradient


def test_colour_of_a_ramp_and_of_a_chequerboard():
    n = 16
    ramp = np.tile(np.arange(n, dtype=np.uint8)[:, None] * 17, (1, n))[..., None]
    # values k/15: the deviation of a uniform law; half of the steps are 1/15, half 0
    deviation = np.sqrt((n**2 - 1) / 12) / 15
    assert np.allclose(colours(ramp)[:, 0], [0.5, deviation, 1 / 30, 1 / 30])
    board = (255 * (np.indices((8, 8)).sum(0) % 2)).astype(np.uint8)[..., None]
    assert np.allclose(colours(board)[:, 0], [0.5, 0.5, 1, 0])


def test_colour_is_that_of_the_turned_and_mirrored_image():
    image = noise(1, 9, 13, 3)[0]
    for turned in (image[::-1], image[:, ::-1], np.rot90(image), image.transpose(1, 0, 2)):
        assert np.allclose(colours(turned), colours(image), atol=1e-6)
    moved = np.random.default_rng(0).permutation(image.reshape(-1, 3)).reshape(image.shape)
    assert np.allclose(colours(moved)[:2], colours(image)[:2], atol=1e-6)  # not so the gradient
    swapped = colours(image[..., [2, 0, 1]])
    assert np.allclose(swapped, colours(image)[:, [2, 0, 1]])


# ---- what a network sees ----


def test_what_a_network_does_not_see_is_said_once(caplog):
    def seen(side, resize, crop, **more):
        caplog.clear()
        transform._tell.cache_clear()
        how = transform.View(resize, crop, (0.0,) * 3, (1.0,) * 3)
        for _ in range(3):
            transform.view(np.zeros((1, side, side, 3), np.uint8), how, **more)
        return [record.getMessage() for record in caplog.records]

    assert seen(32, 32, 32) == seen(32, 256, 224) == seen(256, 256, 256) == []
    (border,) = seen(256, 256, 224)
    assert "the middle 224 of 256 pixels, 77% of an image" in border
    (small,) = seen(256, 32, 32)
    assert "images of 256 pixels are shrunk to 32" in small
    assert seen(256, 256, 224, random=True) == []  # training shows every part


# ---- frozen ----


def test_frozen_features_are_the_backbones(backbone, channels):
    detector = frozen.build(resize=8)
    detector.fit(None, backbone=backbone)
    images = noise(5, 8, 8, channels)
    model, _ = load_backbone(backbone)
    x = (torch.from_numpy(images).movedim(-1, 1) / 255 - 0.5) / 0.5
    with torch.no_grad():
        expected = model.forward_features(x)[:, 0].numpy()
    assert np.allclose(detector.embed(images)["features"], expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["frozen", "binary"])
def test_an_embedding_does_not_depend_on_its_batch(backbone, channels, kind):
    if kind == "frozen":
        detector = frozen.build()
        detector.fit(None, backbone=backbone)
    else:
        detector = fitted(backbone, channels)
    images = noise(70, 12, 12, channels)  # a batch of 64 and one of 6
    together = detector.embed(images)
    for name, whole in together.items():
        assert whole.dtype == np.float32
        parts = [detector.embed(images[i : i + 3])[name] for i in range(0, 70, 3)]
        assert np.allclose(np.concatenate(parts), whole, rtol=1e-5, atol=1e-5)
        assert np.array_equal(detector.embed(images)[name], whole)


# ---- binary: the recipe ----


def test_parameters_of_the_official_recipe():
    """FITYMI section 2: 43,272,962 of 85,800,194 are trained; the frozen ones are blocks 0-5."""
    with torch.device("meta"):
        net = Classifier(create({"model": "vit_base_patch16_224.orig_in21k", "kwargs": {}}), 2)
    options = binary.build()
    freeze_blocks(net.backbone, options.freeze, options.freeze_stem)
    sizes = {name: p.numel() for name, p in net.named_parameters()}
    trained = {name for name, p in net.named_parameters() if p.requires_grad}
    assert sum(sizes.values()) == 85_800_194
    assert sum(sizes[name] for name in trained) == 43_272_962
    frozen_names = {name.split(".")[2] for name in sizes.keys() - trained}
    assert frozen_names == set("012345")
    freeze_blocks(net.backbone, 0.5, True)
    still = {name for name, p in net.named_parameters() if p.requires_grad}
    stem = {"cls_token", "pos_embed", "patch_embed.proj.weight", "patch_embed.proj.bias"}
    assert trained - still == {f"backbone.{name}" for name in stem}


def test_dropout_stands_where_the_official_network_has_it():
    model = create({"model": VIT, "kwargs": TINY})
    add_dropout(model, 0.1)
    rates = {n: m.p for n, m in model.named_modules() if isinstance(m, nn.Dropout) and m.p}
    places = {"pos_drop"} | {f"blocks.{i}.mlp.drop{j}" for i in range(4) for j in (1, 2)}
    assert rates == dict.fromkeys(places, 0.1)
    assert all(block.attn.attn_drop.p == block.attn.proj_drop.p == 0 for block in model.blocks)


def test_optimiser_of_the_official_recipe_by_hand(backbone, channels):
    """One step without dropout and momentum: w - lr (gradient + decay w), biases included."""
    options = {"dropout": 0.0, "flip": False, "resize": 8, "epochs": 1, "batch": 8}
    options |= {"lr": 4e-4, "weight_decay": 0.5}
    model, _ = load_backbone(backbone)
    torch.manual_seed(0)
    net = Classifier(model, 2)
    detector = fitted(backbone, channels, images=4, fakes=4, **options)
    real, fake = noise(4, 12, 12, channels), noise(4, 12, 12, channels, seed=1) // 2
    from nearnd.networks.transform import view

    x = view(np.concatenate([real, fake]), detector.how)
    y = torch.tensor([0] * 4 + [1] * 4)
    nn.functional.cross_entropy(net(x), y).backward()
    trained = dict(detector.net.named_parameters())
    for name, p in net.named_parameters():
        if trained[name].requires_grad:
            expected = p.detach() - 4e-4 * (p.grad + 0.5 * p.detach())
            assert torch.allclose(trained[name], expected, atol=1e-6), name


def test_the_head_starts_as_pytorch_does():
    head = Classifier(create({"model": VIT, "kwargs": TINY}), 2).head.weight
    assert 0 < head.abs().max() <= 16**-0.5  # U(-1/sqrt(D), 1/sqrt(D)), not zero (trap C1)


@pytest.mark.parametrize("stem", [False, True])
def test_frozen_weights_stay(backbone, channels, stem):
    before, _ = load_backbone(backbone)
    detector = fitted(backbone, channels, freeze_stem=stem)
    after, groups = dict(detector.net.backbone.named_parameters()), blocks(before)

    def moved(group):
        return [not torch.equal(dict(before.named_parameters())[n], after[n]) for n in group]

    assert not any(moved(groups[1] + groups[2]))
    assert all(moved(groups[3] + groups[4]))
    assert any(moved(groups[0])) is not stem
    assert after["norm.weight"].requires_grad


def test_a_frozen_stem_ends_the_backward_pass():
    net = Classifier(create({"model": VIT, "kwargs": TINY}), 2)
    freeze_blocks(net.backbone, 0.5, True)
    seen = {}
    for i, block in enumerate(net.backbone.blocks):
        block.register_forward_hook(lambda m, a, out, i=i: seen.update({i: out.requires_grad}))
    net(torch.zeros(1, 3, 8, 8))
    assert seen == {0: False, 1: False, 2: True, 3: True}


def test_frozen_blocks_run_with_dropout():
    net = Classifier(create({"model": VIT, "kwargs": TINY}), 2)
    freeze_blocks(net.backbone, 0.5, True)
    add_dropout(net.backbone, 0.5)
    binary.train_mode(net)
    x = torch.randn(1, 16).expand(64, 1, 16)
    assert net.backbone.blocks[0](x).std(0).max() > 0  # trap C10: the 64 copies differ


def test_training_leaves_the_statistics_of_batch_norms_alone(cnn):
    """And uses them: an image's loss does not depend on those beside it. Scale and shift move."""
    before = load_backbone(cnn)[0].state_dict()
    net = fitted(cnn, 3, images=8, fakes=8, **CNN_QUICK).net
    after = net.backbone.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert {"conv_head.weight", "bn2.weight", "bn2.bias", "blocks.6.0.bn3.weight"} <= moved
    assert not [name for name in moved if "running" in name or "tracked" in name]
    binary.train_mode(net)
    x = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(net(x)[:1], net(x[:1]), atol=1e-5)


# ---- binary: what is frozen, computed once ----


@pytest.fixture(params=["vit", "cnn"])
def fixed(request, tmp_path, cnn):
    """A backbone for colours, and options with which its stem is frozen and nothing is random."""
    options = {"freeze_stem": True, "dropout": 0.0, "flip": False, "resize": 8, "precision": "fp32"}
    if request.param == "cnn":
        return cnn, options | CNN_QUICK | {"lr": 1e-3}
    return save_vit(tmp_path / "vit.safetensors", 3), options


def test_a_view_computed_once_trains_like_views_computed_at_every_step(fixed, monkeypatch):
    """Where nothing is random, and nothing is rounded to be kept."""
    path, options = fixed
    monkeypatch.setattr(_views, "KEPT", torch.float32)
    runs, found = [], []
    for more in ({}, {"views": 1}):
        losses = []

        def progress(step, total, loss=None, losses=losses, **values):
            losses.extend([] if loss is None else [loss])

        found.append(fitted(path, 3, progress=progress, **options | more))
        runs.append(losses)
    assert len(runs[0]) == len(runs[1]) > 2
    assert np.allclose(*runs, rtol=1e-4)
    before = dict(load_backbone(path)[0].named_parameters())
    moved = set()
    for name, p in before.items():
        each, once = (dict(d.net.backbone.named_parameters())[name] for d in found)
        assert (once - each).norm() <= 1e-3 * (each - p).norm(), name
        moved |= set() if torch.equal(once, p) else {name}
    groups = blocks(load_backbone(path)[0])  # the stem, and an even number of blocks
    assert moved == {name for block in groups[1 + len(groups) // 2 :] for name in block}


def test_a_killed_training_finds_its_views_again(fixed, tmp_path, monkeypatch):
    """And ends with the same bytes, whether it was killed before they were whole or later."""
    path, options = fixed
    options |= {"flip": True, "dropout": 0.1, "views": 2}
    train = _trained.train
    monkeypatch.setattr(_trained, "train", lambda *a, **k: train(*a, **k, save_every=0.0))

    class Killed(Exception):
        pass

    def result(name, at=None):
        done = []

        def progress(step, total, **values):
            done.append(total)
            if at == len(done):
                raise Killed

        try:
            detector = fitted(path, 3, tmp_path / name, progress=progress, **options)
        except Killed:
            return done
        detector.save(tmp_path / f"{name}.safetensors")
        return done, (tmp_path / f"{name}.safetensors").read_bytes()

    steps, whole = result("whole")
    views = steps.count(70)  # two of 35 images
    assert views == 4
    assert result("whole")[1] == whole  # from what lies there
    for at, again in ((3, 2), (views + 2, 0)):
        result("killed", at)
        done, content = result("killed")
        assert (done.count(70), content) == (again, whole)
        shutil.rmtree(tmp_path / "killed")
    views = [np.load(tmp_path / "whole" / f"view{v}.npy") for v in (0, 1)]
    assert views[0].dtype == np.float16
    assert not np.array_equal(*views)


def test_every_epoch_shows_the_next_view():
    """Images 0..5 in batches of 4; view v of image i is 10 v + i."""
    calls = []

    def first(rows):
        calls.append(rows)
        return torch.from_numpy(rows + 10.0 * (sum(map(len, calls)) > 6))[:, None]

    views = Views(first, 6, 2, Given(None))
    seen = torch.cat([views.of(np.arange(4 * i, 4 * i + 4) % 6, i)[:, 0] for i in range(4)])
    assert seen.tolist() == [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3]
    assert sum(map(len, calls)) == 12


def test_what_cannot_be_kept_is_refused(monkeypatch):
    with pytest.raises(FloatingPointError, match="too large for float16: set `views: null`"):
        Views(lambda rows: torch.full((len(rows), 2), 1e6), 3, 1, Given(None))
    monkeypatch.setattr(_views, "MOST", 1e9)
    with pytest.raises(ValueError, match="views is 4: of 100000000 images that is 2 GB, more than"):
        Views(lambda rows: torch.zeros(len(rows), 2), 10**8, 4, Given(None))
    with pytest.raises(ValueError, match="views is 2, but .*: set `freeze_stem: true`"):
        binary.build(views=2)


def test_work_of_views():
    """Half of the network once for each view; in every step a half with three passes."""
    about = About(images=100, outliers=300)
    options = {"epochs": 30, "batch": 16, "freeze": 0.5}
    each, stem, views = (
        binary.work(about, **options, **more)
        for more in (
            {"freeze_stem": False, "views": None},
            {"freeze_stem": True, "views": None},
            {"freeze_stem": True, "views": 4},
        )
    )
    assert each["shown"] == stem["shown"] == views["shown"] == 12000
    assert [w["passes"] for w in (each, stem, views)] == [2.5, 2.0, 1.5]
    assert [w["embedded"] for w in (each, stem, views)] == [0, 0, 800]


# ---- binary: what it learns ----


def test_every_image_is_seen_once_per_epoch_last_batch_included(backbone, channels):
    steps = []
    fitted(backbone, channels, progress=lambda step, total, **values: steps.append((step, total)))
    assert steps == [(i, 10) for i in range(1, 11)]  # 35 images in batches of 8, two epochs


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_the_logit_tells_fakes_from_normal_images(backbone, channels, optimizer):
    """Fakes are half as bright; label 1 is fake, so their logit is the higher one."""
    options = {"sgd": {"lr": 0.1, "momentum": 0.9}, "adamw": {"lr": 3e-3, "schedule": "cosine"}}
    detector = fitted(
        backbone, channels, images=40, fakes=40, epochs=8, optimizer=optimizer, shift=1,
        **options[optimizer],
    )  # fmt: skip
    new = noise(30, 12, 12, channels, seed=5)
    real, fake = (detector.embed(x)["logit"] for x in (new, noise(30, 12, 12, channels) // 2))
    assert fake.min() > real.max()
    embedding = detector.embed(new)
    head = detector.net.head
    logits = head(torch.from_numpy(embedding["features"])).detach().numpy()
    assert np.allclose(embedding["logit"], logits[:, 1] - logits[:, 0], atol=1e-5)


def test_normalised_features_have_length_one_and_the_same_direction(backbone, channels):
    images = noise(5, 12, 12, channels)
    plain = fitted(backbone, channels).embed(images)
    unit = fitted(backbone, channels, normalise=True).embed(images)
    length = np.linalg.norm(plain["features"], axis=1, keepdims=True)
    assert np.allclose(unit["features"] * length, plain["features"], atol=1e-5)
    assert np.array_equal(unit["logit"], plain["logit"])


# ---- precision ----


def test_small_networks_stay_in_float32():
    model = create({"model": VIT, "kwargs": TINY})
    assert precision.dtype(model, torch.device("cpu")) == torch.float32
    assert precision.dtype(model, torch.device("cpu"), "bf16") == torch.bfloat16
    with pytest.raises(ValueError, match="'fp16', it must be auto, fp32 or bf16"):
        precision.dtype(model, torch.device("cpu"), "fp16")


def test_bf16_features_are_close_and_leave_the_weights_alone(backbone, channels):
    images = noise(20, 12, 12, channels)
    exact, rough = (frozen.build(precision=kind) for kind in ("fp32", "bf16"))
    exact.fit(None, backbone=backbone)
    rough.fit(None, backbone=backbone)
    a, b = exact.embed(images)["features"], rough.embed(images)["features"]
    assert 0 < np.linalg.norm(a - b) / np.linalg.norm(a) < 0.02
    assert all(p.dtype == torch.float32 for p in rough.net.parameters())


# ---- errors ----


def test_bad_input_is_named(backbone, channels, tmp_path):
    images = noise(4, 12, 12, channels)
    with pytest.raises(ValueError, match="set `outliers`"):
        binary.build().fit(as_images(images), outliers=None, backbone=backbone, seed=0, folder=None)
    with pytest.raises(ValueError, match="set `backbone`"):
        frozen.build().fit(None)
    with pytest.raises(ValueError, match=r"\(6, 6, \d\).*same size"):
        binary.build().fit(
            as_images(images), outliers=images[:, :6, :6], backbone=backbone, seed=0, folder=None
        )
    with pytest.raises(ValueError, match=r"crop is 12, but vit_tiny_patch16_224 takes .* 8 pixels"):
        frozen.build(crop=12).fit(None, backbone=backbone)
    with pytest.raises(ValueError, match="resize 4 must be at least crop 8"):
        frozen.build(resize=4).fit(None, backbone=backbone)
    with pytest.raises(ValueError, match="call fit or load first"):
        frozen.build().embed(images)
    with pytest.raises(ValueError, match="optimizer is 'adam'"):
        plugins.check_entry("detectors", "", {"kind": "binary", "optimizer": "adam"})
    with pytest.raises(ValueError, match="freeze is 6"):
        plugins.check_entry("detectors", "", {"kind": "binary", "freeze": 6})
    with pytest.raises(ValueError, match="not the file of a `binary` detector"):
        binary.build().load(backbone)


def test_the_view_is_what_the_backbone_states():
    facts = {"model": VIT, "size": 224, "resize": 256, "mean": [0.5] * 3, "std": [0.5] * 3}
    assert view_of(facts, None, None)[:2] == (256, 224)
    assert view_of(facts, 224, None)[:2] == (224, 224)
