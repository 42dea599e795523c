"""Outlier-exposed and compactness detectors: BCE, Focal, HSC, DeepSAD, DeepSVDD, ADIB.

RETH: "Rethinking Assumptions in Deep Anomaly Detection".
"""

import colorsys

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.ops import sigmoid_focal_loss
from torchvision.transforms.functional import adjust_hue

from nearnd import plugins
from nearnd.contracts import Images, silent
from nearnd.detectors import _deep_svdd, _exposed, adib, deep_sad, deep_svdd, exposed
from nearnd.metrics.auroc import auroc
from nearnd.networks import augment, contrast, lenet
from nearnd.networks.backbone import create, describe, save_backbone
from nearnd.networks.schedules import tenths
from nearnd.networks.transform import statistics
from nearnd.networks.wide_resnet import WideResNet

SMALL = {"widths": [8, 16], "hidden": 16, "code": 8, "batch": 16, "epochs": 10, "milestones": [8],
         "jitter": 0, "flip": False, "pad": 0, "noise": 0}  # fmt: skip
SVDD = {"widths": [8, 4], "code": 16, "batch": 20, "epochs": 20, "ae_epochs": 10}
TOLD = [(loss, "pseudo_huber") for loss in _exposed.LOSSES]
TOLD += [("hsc", radial) for radial in _exposed.RADIAL[1:]]
ids = pytest.mark.parametrize(("loss", "radial"), TOLD)


def noise(n, seed=0, channels=1, low=0, high=256):
    return np.random.default_rng(seed).integers(low, high, (n, 8, 8, channels)).astype(np.uint8)


def as_images(pixels):
    return Images(pixels, np.zeros(len(pixels), np.int64), np.arange(len(pixels)).astype(str))


def fitted(kind, pixels, outliers=None, backbone=None, folder=None, seed=0, progress=silent, **o):
    detector = plugins.build("detectors", {"kind": kind, **o})
    detector.fit(
        as_images(pixels), outliers=outliers, backbone=backbone, seed=seed, folder=folder,
        progress=progress,
    )  # fmt: skip
    return detector


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    torch.manual_seed(0)
    kwargs = {"img_size": 8, "patch_size": 4, "embed_dim": 16, "depth": 2, "num_heads": 2}
    kwargs |= {"in_chans": 1}
    model = create({"model": "vit_tiny_patch16_224", "kwargs": kwargs})
    path = tmp_path_factory.mktemp("backbone") / "vit.safetensors"
    save_backbone(path, model, describe(model, "vit_tiny_patch16_224", kwargs, 0.5, 0.5))
    return path


# ---- losses ----

A, Y = torch.tensor([0.0, 2.0, -3.0, 0.5]), torch.tensor([0.0, 1.0, 1.0, 0.0])


def test_radial_functions_by_hand():
    z = torch.tensor([[3.0, -4.0], [0.0, 0.0]])
    values = {"l1": 7, "l2": 5, "squared": 25, "pseudo_huber": 26**0.5 - 1}
    for radial, value in values.items():
        assert _exposed.distance(z, radial).tolist() == pytest.approx([value, 0])


def test_linear_losses_by_hand_and_by_the_libraries():
    p = 1 / (1 + np.exp(-A.double().numpy()))
    p_t = np.where(Y == 1, p, 1 - p)  # the probability of the right label
    assert _exposed.losses(A, Y, "bce").numpy() == pytest.approx(-np.log(p_t))
    for gamma in (0.0, 2.0, 3.0):
        focal = _exposed.losses(A, Y, "focal", gamma)
        assert focal.numpy() == pytest.approx(-((1 - p_t) ** gamma) * np.log(p_t), rel=1e-5)
    mean = _exposed.losses(A, Y, "bce").mean()
    assert torch.isclose(mean, nn.BCEWithLogitsLoss()(A, Y))
    mean = sigmoid_focal_loss(A, Y, alpha=-1, gamma=2, reduction="mean")
    assert torch.isclose(_exposed.losses(A, Y, "focal").mean(), mean)


def test_losses_of_a_distance_by_hand():
    h, y = torch.tensor([0.7, 0.7, 3.0]), torch.tensor([0.0, 1.0, 1.0])
    hsc = [0.7, -np.log(1 - np.exp(-0.7)), -np.log(1 - np.exp(-3.0))]
    assert _exposed.losses(h, y, "hsc").tolist() == pytest.approx(hsc)
    assert _exposed.losses(h, y, "sad").tolist() == pytest.approx([0.7, 1 / 0.7, 1 / 3])
    at_centre = [-np.log(1e-9), 1e9]
    for loss, value in zip(("hsc", "sad"), at_centre, strict=True):
        assert float(_exposed.losses(torch.zeros(1), torch.ones(1), loss)) == pytest.approx(value)
    known = torch.tensor([False, True])
    own = deep_sad.losses(torch.tensor([2.0, 2.0]), known, eta=3.0)
    assert own.tolist() == pytest.approx([2.0, 3 / (2 + 1e-6)])


@ids
def test_gradients_are_finite_near_the_centre_and_far_from_it(loss, radial):
    net = _exposed.Exposed(nn.Identity(), 4, loss, radial)
    for size in (0.0, 1e-6, 1.0, 50.0, 1e3):
        z = torch.full((6, 4), size, requires_grad=True)
        y = torch.tensor([0.0, 1.0] * 3)
        value = _exposed.losses(net(z)[1], y, loss).mean()
        (gradient,) = torch.autograd.grad(value, z)
        assert torch.isfinite(value)
        assert torch.isfinite(gradient).all(), size


def test_the_soft_boundary_by_hand():
    d, radius = torch.tensor([1.0, 4.0, 9.0, 16.0, 25.0]), torch.tensor(3.0)
    value = deep_svdd.soft_boundary(d, radius, 0.2, moves=False)
    assert float(value) == pytest.approx(9 + (7 + 16) / 5 / 0.2)
    assert float(radius) == 3
    deep_svdd.soft_boundary(d, radius, 0.25, moves=True)
    assert float(radius) == 4  # a quarter of the five, one of four steps, lies beyond 4


def test_the_centre_is_the_mean_pushed_away_from_zero():
    z = torch.tensor([[0.5, 0.02, -0.3, 0.0, -2.0], [0.1, 0.06, 0.2, 0.0, -1.0]])
    assert _deep_svdd.centre(z).tolist() == pytest.approx([0.3, 0.1, -0.1, 0.0, -1.5])


def test_the_distance_from_the_start_is_not_squared_and_has_no_slope_there():
    start = [torch.ones(2, 2), torch.zeros(3, 1)]
    now = [p.clone().requires_grad_() for p in start]
    adib.how_far(now, start).backward()
    assert all((p.grad == 0).all() for p in now)
    moved = [start[0] + torch.tensor([[3.0, 0], [0, 0]]), start[1] + 4 * torch.eye(3)[:, :1]]
    assert float(adib.how_far(moved, start)) == pytest.approx(5)


# ---- batches and schedule ----


def test_every_batch_is_half_outliers_in_one_pass(monkeypatch):
    seen = []

    class Spy(_exposed.Exposed):
        def forward(self, x):
            seen.append(x.mean((1, 2, 3)))
            return super().forward(x)

    monkeypatch.setattr("nearnd.detectors.exposed.Exposed", Spy)
    dark, bright = np.zeros((32, 8, 8, 1), np.uint8), np.full((50, 8, 8, 1), 255, np.uint8)
    fitted("exposed", dark, bright, **SMALL | {"mean": 0, "std": 1})
    assert len(seen) == 10 * 32 // 16
    assert all(x.tolist() == [0] * 16 + [1] * 16 for x in seen)


def test_outliers_come_equally_often_or_with_replacement_if_they_are_few():
    rows = np.concatenate([_exposed.outlier_rows(step, 48, 16, 5) for step in range(6)])
    assert (np.bincount(rows) == 2).all()
    few = [_exposed.outlier_rows(step, 3, 16, 5) for step in range(6)]
    assert all(len(r) == 16 and set(r) <= {0, 1, 2} for r in few)
    assert len({tuple(r) for r in few}) == 6
    assert (_exposed.outlier_rows(2, 3, 16, 5) == few[2]).all()
    fitted("exposed", noise(20), noise(1, 1) // 2, **SMALL)  # one outlier is enough


def test_the_rate_falls_to_a_tenth_at_the_published_epochs():
    rate = tenths((100, 150), 5000, 128)
    at = [rate(step) for step in (0, 3906, 3907, 5859, 5860)]
    assert at == pytest.approx([1, 1, 0.1, 0.1, 0.01])


# ---- networks and images ----


def test_networks_have_the_published_sizes():
    cifar = lenet.lenet(3, 32, (32, 64, 128), 512, 256, bias=True)
    convs = sum(25 * a * b + b + 2 * b for a, b in ((3, 32), (32, 64), (64, 128)))
    assert count(cifar) == convs + 2048 * 512 + 512 + 1024 + 512 * 256 + 256
    assert cifar(torch.zeros(2, 3, 32, 32)).shape == (2, 256)
    mnist = lenet.lenet(1, 28, (8, 4), None, 32, bias=False)
    assert count(mnist) == 25 * 8 + 25 * 8 * 4 + 4 * 49 * 32
    wide = WideResNet(3, (32, 64, 128), 6)
    assert count(wide) == 2_243_546 - (128 * 10 + 10)  # WRN-40-2 for ten classes, less its head
    assert wide.eval()(torch.zeros(2, 3, 32, 32)).shape == (2, 128)


def test_codes_of_deep_svdd_start_as_small_as_in_the_official_code():
    facts = {"channels": 3, "side": 32, "widths": [32, 64, 128], "hidden": None, "code": 128}
    torch.manual_seed(0)
    layer = _deep_svdd.Sphere(facts | {"bias": False}).encoder[-1][-1]
    assert layer.weight.std().item() == pytest.approx((3 * 2048) ** -0.5, rel=0.02)  # 0.0128
    reth = lenet.lenet(3, 32, (32, 64, 128), None, 128, bias=False)[-1][-1]
    assert reth.weight.std().item() == pytest.approx((2 / (2048 + 128)) ** 0.5, rel=0.02)


def count(net):
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize(("channels", "side", "widths", "code"),
                         [(3, 32, (32, 64, 128), 128), (1, 28, (8, 4), 32), (1, 8, (8, 4), 32),
                          (3, 19, (4, 4), 16)])  # fmt: skip
def test_the_decoder_gives_images_of_the_size_that_the_encoder_took(channels, side, widths, code):
    encoder = lenet.lenet(channels, side, widths, None, code, bias=False)
    decoder = lenet.Decoder(channels, side, widths, code)
    x = torch.rand(3, channels, side, side)
    back = decoder(encoder(x))
    assert back.shape == x.shape
    assert 0 < back.min() < back.max() < 1
    names = [name for name, _ in (*encoder.named_parameters(), *decoder.named_parameters())]
    assert all(name.endswith("weight") for name in names)
    assert not any(isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d) and m.affine
                   for m in (*encoder.modules(), *decoder.modules()))  # fmt: skip


def test_images_too_small_and_codes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="8 pixels cannot be halved 4 times"):
        lenet.lenet(1, 8, (4, 4, 4, 4), None, 8, bias=False)
    with pytest.raises(ValueError, match="code is 30; .* multiple of 4"):
        lenet.Decoder(1, 8, (8, 4), 30)


def test_the_hue_turns_as_in_hsv():
    x = torch.rand(5, 3, 4, 4)
    turn = torch.tensor([0.0, 1 / 3, -0.25, 0.01, 1.0])
    y = augment.turned(x, turn)
    for i in range(5):
        h, s, v = colorsys.rgb_to_hsv(*x[i, :, 2, 1].tolist())
        expected = colorsys.hsv_to_rgb((h + float(turn[i])) % 1, s, v)
        assert y[i, :, 2, 1].tolist() == pytest.approx(expected, abs=1e-5)
    assert torch.allclose(y[2], adjust_hue(x[2], -0.25), atol=1e-4)


@pytest.mark.parametrize("channels", [1, 3])
def test_random_changes_differ_between_images_and_keep_their_bounds(channels):
    torch.manual_seed(0)
    x = torch.rand(1, channels, 8, 8).expand(64, -1, -1, -1) * 0.5 + 0.25
    jittered = augment.colour_jitter(x, 0.01)
    assert 0 < (jittered - x).abs().max() < 0.04
    assert jittered[:, 0, 0, 0].unique().numel() > 32
    mirrored = augment.flipped(x)
    same = (mirrored == x).flatten(1).all(1)
    assert 16 < same.sum() < 48
    assert torch.equal(mirrored[~same], x[~same].flip(3))
    moved = augment.shifted(x, 3)
    sums = {float(image.sum()) for image in moved}
    assert len(sums) > 16
    assert max(sums) <= float(x[0].sum()) + 1e-3  # what comes in is black
    centre = moved[:, :, 3:5, 3:5]  # never reached by the border
    assert centre.min() >= 0.25


def test_statistics_of_the_training_images():
    pixels = noise(20, channels=3, high=100)
    scaled = pixels / 255
    mean, std = statistics(pixels)
    assert mean == pytest.approx(scaled.mean((0, 1, 2)))
    assert std == pytest.approx(scaled.std((0, 1, 2)))
    assert statistics(np.zeros((2, 4, 4, 1), np.uint8))[1][0] > 0


def test_contrast_and_brightness_do_not_matter_and_extrema_are_those_of_the_training_images():
    x = torch.rand(4, 3, 8, 8)
    plain = contrast.contrast_normalised(x, -2.0, 3.0)
    assert torch.allclose(contrast.contrast_normalised(0.4 * x + 0.3, -2.0, 3.0), plain, atol=1e-4)
    unscaled = plain * 5 - 2
    assert torch.allclose(unscaled.mean((1, 2, 3)), torch.zeros(4), atol=1e-5)
    assert torch.allclose(unscaled.abs().mean((1, 2, 3)), torch.ones(4), atol=1e-5)
    flat = contrast.contrast_normalised(torch.full((1, 1, 4, 4), 0.7), -1.0, 1.0)
    assert (flat == 0.5).all()

    train, test = noise(30, low=100, high=150), np.zeros((1, 8, 8, 1), np.uint8)
    test[0, 3, 3] = 255
    detector = fitted("deep_svdd", train, **SVDD)
    inputs = detector.see(train)
    assert (float(inputs.min()), float(inputs.max())) == (0, 1)
    before = detector.embed(train)["logit"]
    detector.embed(np.concatenate([train, test]))
    assert float(detector.see(test).max()) > 1  # of no influence on the scale
    assert (detector.embed(train)["logit"] == before).all()


# ---- collapse ----


def test_a_network_with_biases_collapses_and_is_found_out_and_the_right_one_does_not():
    """Noise has nothing in common but what a constant says, and the rate is high."""
    recipe = {"widths": [8, 4], "code": 32, "ae_epochs": 0, "batch": 50, "lr": 0.1}
    recipe |= {"epochs": 120, "milestones": [50, 80, 100]}
    pixels = noise(300)
    with pytest.raises(ValueError, match="codes have collapsed.*`bias` to false"):
        fitted("deep_svdd", pixels, bias=True, **recipe)
    fitted("deep_svdd", pixels, bias=False, **recipe)


# ---- what they learn ----


def toy(n, seed, code):
    """A strong random texture in the upper half that says nothing, and a weak one below that does:
    stripes, upright for code 0 and lying for 1."""
    rng = np.random.default_rng(seed)
    x = np.full((n, 8, 8, 1), 100.0)
    x[:, :4] += rng.normal(0, 60, (n, 4, 8, 1))
    wave = 15 * (-1.0) ** np.arange(8)
    x[:, 4:] += wave[4:, None, None] if code else wave[None, :, None]
    return (x + rng.normal(0, 8, x.shape)).clip(0, 255).astype(np.uint8)


def quality(scores, n=100):
    return auroc(scores, np.arange(2 * n) >= n)


TEST = np.concatenate([toy(100, 7, 0), toy(100, 8, 1)])
NORMAL, OUTLIERS = toy(200, 1, 0), toy(200, 2, 1)


@ids
def test_outliers_teach_what_to_look_at(loss, radial):
    """Higher is more anomalous, for every loss."""
    detector = fitted("exposed", NORMAL, OUTLIERS, loss=loss, radial=radial, **SMALL)
    assert quality(detector.embed(TEST)["logit"]) > 0.95


def test_a_wide_residual_network_learns_it_and_survives_a_file(tmp_path):
    o = {"network": "wide_resnet", "widths": [8, 16], "per_stage": 1, "hidden": None, "code": 8}
    detector = fitted("exposed", NORMAL, OUTLIERS, **SMALL | o)
    scores = detector.embed(TEST)["logit"]
    assert quality(scores) > 0.95
    detector.save(tmp_path / "d.safetensors")
    again = exposed.build()
    again.load(tmp_path / "d.safetensors")
    assert (again.embed(TEST)["logit"] == scores).all()


def test_pixels_and_an_unsupervised_method_miss_it():
    distance = np.square(TEST / 255.0 - NORMAL.mean(0) / 255).sum((1, 2, 3))
    assert quality(distance) < 0.75
    assert quality(fitted("deep_svdd", NORMAL, **SVDD).embed(TEST)["logit"]) < 0.75


def test_few_known_anomalies_help_deepsad_in_its_own_recipe():
    detector = fitted("deep_sad", NORMAL, OUTLIERS[:20], **SVDD | {"lr": 3e-3, "ae_lr": 1e-3})
    assert quality(detector.embed(TEST)["logit"]) > 0.95


@pytest.mark.parametrize("objective", ["one_class", "soft_boundary"])
def test_deepsvdd_finds_images_unlike_all_normal_ones(objective):
    """Shapes that are alike against the same pixels in disorder."""
    y, x = np.mgrid[:8, :8]
    rng = np.random.default_rng(0)
    at = rng.uniform(2.5, 4.5, (160, 2, 1, 1))
    blobs = 230 * np.exp(-((y - at[:, 0]) ** 2 + (x - at[:, 1]) ** 2) / 4)
    blobs = blobs[..., None].astype(np.uint8)
    mixed = rng.permuted(blobs[60:].reshape(100, 64), axis=1).reshape(100, 8, 8, 1)
    o = SVDD | {"epochs": 60, "lr": 1e-3, "ae_lr": 1e-3, "objective": objective, "nu": 0.2}
    detector = fitted("deep_svdd", blobs[:60], **o)
    assert quality(detector.embed(np.concatenate([blobs[60:], mixed]))["logit"]) > 0.95
    outside = (detector.embed(blobs[:60])["logit"] > 0).mean()
    if objective == "soft_boundary":
        assert 0.02 < outside < 0.6  # about nu
    else:
        assert outside == 1  # there is no radius


def test_a_pretrained_backbone_is_taught_too(vit):
    o = {"epochs": 16, "milestones": [12], "batch": 16, "flip": False, "shift": 0}
    for kind, more in (("exposed_pretrained", {"lr": 1e-3, "code": 8}), ("adib", {"lr": 0.1})):
        detector = fitted(kind, NORMAL, OUTLIERS, backbone=vit, **o | more)
        assert quality(detector.embed(TEST)["logit"]) > 0.95


@pytest.mark.parametrize("kind", ["exposed_pretrained", "adib"])
def test_what_is_embedded_in_bfloat16_is_float32_too(vit, kind):
    o = {"epochs": 1, "milestones": [], "batch": 16, "precision": "bf16"}
    embedding = fitted(kind, NORMAL, OUTLIERS, backbone=vit, **o).embed(TEST)
    assert {array.dtype for array in embedding.values()} == {np.dtype("float32")}


def test_adib_stays_nearer_to_its_start_the_stronger_it_is_held(vit):
    from nearnd.networks.backbone import load_backbone

    start = adib.matrices(load_backbone(vit)[0])

    def moved(alpha):
        o = {"alpha": alpha, "epochs": 2, "batch": 16, "lr": 0.05, "flip": False, "shift": 0}
        detector = fitted("adib", NORMAL, OUTLIERS, backbone=vit, **o)
        return adib.how_far(adib.matrices(detector.net.network.backbone), start).item()

    assert moved(1.0) < moved(0.1) < moved(0.0)


# ---- errors ----


def test_bad_input_is_named(tmp_path):
    x, o = noise(6), noise(6, 1)
    for entry, words in (
        ({"kind": "exposed", "loss": "mse"}, "loss is 'mse'; it may be "),
        ({"kind": "exposed", "radial": "l3"}, "radial is 'l3'"),
        ({"kind": "exposed", "network": "resnet"}, "network is 'resnet'"),
        ({"kind": "deep_svdd", "objective": "svm"}, "objective is 'svm'"),
    ):
        with pytest.raises(ValueError, match=words):
            plugins.check_entry("detectors", "", entry)
    with pytest.raises(ValueError, match="nu is 0"):
        plugins.build("detectors", {"kind": "deep_svdd", "nu": 0})
    with pytest.raises(ValueError, match=r"outliers are images of \(6, 6, 1\).*same size"):
        fitted("exposed", x, o[:, :6, :6], **SMALL)
    with pytest.raises(ValueError, match=r"images are 8 x 6; this network takes square ones"):
        fitted("exposed", x[:, :, :6], o[:, :, :6], **SMALL)
    with pytest.raises(ValueError, match=r"mean is \[0.5, 0.5, 0.5\], but images have 1 channels"):
        fitted("exposed", x, o, **SMALL | {"mean": [0.5, 0.5, 0.5]})
    with pytest.raises(ValueError, match="at least two training images, this task has 1"):
        fitted("deep_svdd", x[:1], **SVDD)
    detector = fitted("exposed", x, o, **SMALL)
    detector.save(tmp_path / "d.safetensors")
    for kind in ("adib", "deep_svdd"):
        with pytest.raises(ValueError, match=f"not the file of a .*{kind}"):
            plugins.build("detectors", {"kind": kind}).load(tmp_path / "d.safetensors")
    with pytest.raises(ValueError, match="call fit or load first"):
        exposed.build().embed(x)
