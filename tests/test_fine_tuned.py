"""Fine-tuned features: PANDA, its outlier-exposed variant, MSAD and Transformaly."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from torch import nn

from nearnd.contracts import Images, silent
from nearnd.detectors import frozen, msad, panda, panda_oe, transformaly
from nearnd.detectors._freeze import freeze_as
from nearnd.detectors.msad import augmentation, views
from nearnd.detectors.transformaly import Imitation, xavier
from nearnd.files.arrays import save_tensors
from nearnd.networks.backbone import create, describe, features, load_backbone, save_backbone
from nearnd.networks.transform import View, view
from nearnd.scores import transformaly as score

VIT = "vit_tiny_patch16_224"
TINY = {"img_size": 8, "patch_size": 4, "embed_dim": 16, "depth": 4, "num_heads": 2}
RESNET = "test_resnet"
QUICK = {
    panda: {"iterations": 6, "batch": 8},
    panda_oe: {"epochs": 2, "batch": 8},
    msad: {"epochs": 2, "batch": 8, "lr": 0.01},
    transformaly: {"epochs": 2, "batch": 8},
}
KINDS = pytest.mark.parametrize("kind", list(QUICK), ids=lambda k: k.__name__.split(".")[-1])
TUNED = pytest.mark.parametrize(
    "kind", [panda, panda_oe, msad], ids=lambda k: k.__name__.split(".")[-1]
)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def as_images(pixels):
    return Images(pixels, np.zeros(len(pixels), np.int64), np.arange(len(pixels)).astype(str))


def stored(path, name, kwargs, size):
    """A backbone file of an untrained network for square images."""
    torch.manual_seed(0)
    model = create({"model": name, "kwargs": kwargs})
    save_backbone(path, model, describe(model, name, kwargs, 0.5, 0.5, resize=size))
    return path


@pytest.fixture
def vit(tmp_path):
    return stored(tmp_path / "vit.safetensors", VIT, TINY, 8)


@pytest.fixture
def resnet(tmp_path):
    return stored(tmp_path / "resnet.safetensors", RESNET, {}, 160)


def fitted(kind, backbone, pixels=None, folder=None, seed=0, progress=silent, **options):
    pixels = noise(12, 8, 8, 3) if pixels is None else pixels
    detector = kind.build(**QUICK[kind] | options)
    detector.fit(
        as_images(pixels), outliers=255 - pixels // 2, backbone=backbone, seed=seed,
        folder=folder, progress=progress,
    )  # fmt: skip
    return detector


def weights(detector):
    return {name: t.clone() for name, t in detector.net.state_dict().items()}


def auroc(low, high):
    return (high[:, None] > low).mean()


# ---- what all of them promise ----


@KINDS
def test_one_normal_image_is_enough_to_train_on(vit, kind):
    detector = fitted(kind, vit, noise(1, 8, 8, 3))
    assert all(np.isfinite(array).all() for array in detector.embed(noise(3, 8, 8, 3)).values())


@TUNED
def test_a_resnet_keeps_its_first_layers_and_all_statistics_of_its_batch_norms(resnet, kind):
    options = {"resize": 32, "crop": 32} | ({} if kind is msad else {"clip": 1.0})
    detector = fitted(kind, resnet, noise(9, 32, 32, 3), **options)
    before = load_backbone(resnet)[0].state_dict()
    net = detector.net.backbone if kind is panda_oe else detector.net
    moved = {name for name, t in net.state_dict().items() if not torch.equal(t, before[name])}
    assert moved
    assert {name.split(".")[0] for name in moved} <= {"layer3", "layer4"}
    assert not any("running" in name or "num_batches" in name for name in moved)
    assert any(".bn" in name for name in moved)  # their scale and shift are trained


# ---- which weights are trained ----


def test_freezing_by_default_by_name_and_by_share():
    def trained(name, kwargs, what):
        model = create({"model": name, "kwargs": kwargs})
        freeze_as(model, what)
        return {n.split(".")[0] for n, p in model.named_parameters() if p.requires_grad}

    assert trained("resnet18", {}, None) == {"layer3", "layer4"}
    layers = {"layer1", "layer2", "layer3", "layer4"}
    assert trained("resnet18", {}, ["conv1", "layer2.0", "layer3"]) == {"bn1"} | layers - {"layer3"}
    assert trained("resnet18", {}, 0.0) == {"conv1", "bn1"} | layers
    assert trained(VIT, TINY, None) == {"blocks", "norm"}
    model = create({"model": VIT, "kwargs": TINY})
    freeze_as(model, None)
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    assert {name.split(".")[1] for name in names if name.startswith("blocks")} == {"2", "3"}
    with pytest.raises(ValueError, match=r"'layer1'.*blocks.*entry"):
        freeze_as(model, ["layer1"])
    with pytest.raises(ValueError, match=r"nothing is left"):
        freeze_as(model, 1.0)


# ---- PANDA ----


def test_compactness_by_hand():
    z, c = torch.tensor([[1.0, 2.0], [3.0, 0.0]]), torch.tensor([1.0, 1.0])
    # distances squared 0 + 1 and 4 + 1, over d = 2: 0.5 and 2.5
    assert panda.compactness(z, c) == pytest.approx(1.5)


def test_the_clip_bounds_every_step(vit):
    """With momentum m, n steps move the weights by at most n lr clip / (1 - m)."""
    start = load_backbone(vit)[0].state_dict()
    norms = {}
    for n in (1, 5):
        options = {"iterations": n, "weight_decay": 0.0, "freeze": 0.0}
        after = weights(fitted(panda, vit, **options))
        norms[n] = math.sqrt(sum((t - start[k]).square().sum() for k, t in after.items()))
    assert norms[1] == pytest.approx(1e-2 * 1e-3, rel=1e-2)  # the first step is exactly clipped
    assert norms[1] < norms[5] <= 5 * 1e-2 * 1e-3 / (1 - 0.9)


def test_panda_draws_new_normal_images_together_without_collapse(vit):
    """Fresh images of one kind come closer to each other, others stay apart."""
    rng = np.random.default_rng(0)

    def kind(n, level):
        return rng.normal(level, 25, (n, 8, 8, 3)).clip(0, 255).astype(np.uint8)

    normal, new, other = kind(60, 100), kind(60, 100), kind(60, 150)
    before = frozen.build()
    before.fit(None, backbone=vit)
    after = fitted(panda, vit, normal, iterations=300, lr=0.05, batch=32)

    def compact(detector):
        z, o = (detector.embed(x)["features"] for x in (new, other))
        spread = np.linalg.norm(z - z.mean(0), axis=1).mean()
        return spread, np.linalg.norm(o.mean(0) - z.mean(0)) / spread

    (wide, apart), (narrow, still) = compact(before), compact(after)
    assert narrow < 0.8 * wide
    assert narrow > 0.01 * wide
    assert still > 0.5 * apart


def test_a_strong_elastic_penalty_keeps_the_weights_that_matter(vit):
    plain = {"iterations": 40, "clip": 0.1, "weight_decay": 0.0, "momentum": 0.0}
    free, tied = (fitted(panda, vit, ewc=ewc, **plain) for ewc in (0.0, 100.0))
    start = load_backbone(vit)[0]
    x = view(noise(12, 8, 8, 3), free.how)
    with torch.no_grad():
        h0, h1, h2 = (features(m.eval(), x) for m in (start, free.net, tied.net))
    assert (h2 - h0).norm() < 0.2 * (h1 - h0).norm()


def test_fisher_diagonal_of_a_linear_softmax_model():
    """log p(y | x) = log softmax(W x)_y: the mean of x_j^2 (1[k = y] - p_k)^2; over labels drawn
    from the model E = x_j^2 p_k (1 - p_k)."""
    g = torch.Generator().manual_seed(0)
    w, x = torch.randn(3, 4, generator=g), torch.randn(7, 4, generator=g)
    p = (x @ w.T).softmax(1)  # (N, K)

    def log_p(weights, x, y):
        return ((weights["w"] @ x).log_softmax(0) * y).sum()

    expected = torch.einsum("nj,nk->kj", x.square(), p * (1 - p)) / 7
    total = {"w": torch.zeros(3, 4)}
    for y in range(3):  # each label weighted by its probability: sqrt(p) before squaring
        label = nn.functional.one_hot(torch.full((7,), y), 3).float()
        one = {"w": torch.zeros(3, 4)}
        panda.add_squares(one, log_p, {"w": w}, x, label)
        hand = sum(torch.outer((label[n] - p[n]).square(), x[n].square()) for n in range(7))
        assert torch.allclose(one["w"], hand, atol=1e-5)
        for n in range(7):
            alone = {"w": torch.zeros(3, 4)}
            panda.add_squares(alone, log_p, {"w": w}, x[n : n + 1], label[n : n + 1])
            total["w"] += p[n, y] * alone["w"] / 7
    assert torch.allclose(total["w"], expected, atol=1e-5)


def test_fisher_of_features_is_their_mean_squared_jacobian(resnet):
    """Against all derivatives of a network's features, one by one."""
    model, facts = load_backbone(resnet)
    freeze_as(model, ["conv1", "layer1", "layer2", "layer3", "layer4.0.conv2"])
    how = View(32, 32, facts["mean"], facts["std"])
    images = noise(5, 32, 32, 3)
    draws = [panda.fisher_of_features(model, images, how, seed) for seed in range(60)]
    name = "layer4.0.bn2.weight"
    found = torch.stack([d[name] for d in draws]).mean(0)
    p = dict(model.named_parameters())[name]
    expected = torch.zeros_like(p)
    for image in images:
        h = features(model, view(image[None], how))[0]  # (D,)
        for value in h:
            (g,) = torch.autograd.grad(value, p, retain_graph=True)
            expected += g.square() / len(h) / len(images)
    assert torch.allclose(found.mean(), expected.mean(), rtol=0.1)
    assert np.corrcoef(found.numpy(), expected.numpy())[0, 1] > 0.9


def test_a_fisher_file_is_read_by_name_and_must_fit(vit, tmp_path):
    model, _ = load_backbone(vit)
    shapes = {name: p.detach().numpy() for name, p in model.named_parameters()}
    huge = {name: np.full_like(p, 1e3) for name, p in shapes.items()}
    save_tensors(tmp_path / "f.safetensors", huge)
    options = {"ewc": 1e4, "weight_decay": 0.0, "momentum": 0.0, "lr": 1e-8, "clip": None}
    tied = weights(fitted(panda, vit, fisher=str(tmp_path / "f.safetensors"), **options))
    free = weights(fitted(panda, vit, **options | {"ewc": 0.0, "lr": 1e-3}))
    name = "blocks.3.mlp.fc1.weight"
    start = torch.from_numpy(shapes[name])
    assert (tied[name] - start).norm() < 1e-3 * (free[name] - start).norm()
    torch.save({k: torch.from_numpy(v) for k, v in huge.items()}, tmp_path / "f.pth")
    same = weights(fitted(panda, vit, fisher=str(tmp_path / "f.pth"), **options))
    assert torch.equal(tied[name], same[name])
    save_tensors(tmp_path / "less.safetensors", {k: v for k, v in huge.items() if k != name})
    with pytest.raises(ValueError, match=r"less.safetensors.*fc1.weight.*missing.*entry"):
        fitted(panda, vit, fisher=str(tmp_path / "less.safetensors"), **options)


def test_panda_oe_tells_outliers_by_its_logit(vit):
    rng = np.random.default_rng(0)
    normal = rng.normal(110, 30, (40, 8, 8, 3)).clip(0, 255).astype(np.uint8)
    detector = panda_oe.build(epochs=40, batch=16, lr=0.1, clip=1.0)
    detector.fit(as_images(normal), outliers=255 - normal, backbone=vit, seed=0, folder=None)
    new = rng.normal(110, 30, (40, 8, 8, 3)).clip(0, 255).astype(np.uint8)
    low, high = (detector.embed(x) for x in (new, 255 - new))
    assert auroc(low["logit"], high["logit"]) > 0.9
    head = detector.net.head
    logit = head(torch.from_numpy(low["features"]))[:, 0].detach().numpy()
    assert np.allclose(low["logit"], logit, atol=1e-5)


# ---- MSAD ----


def test_mean_shifted_loss_by_hand():
    """Around c = (0.6, 0) the two views of each image point to the same side: with t = 0.25 every
    row has one similarity of 1 and two of -1."""
    c = torch.tensor([0.6, 0.0])
    up, down = [0.6, 0.8], [0.6, -0.8]  # of length 1; minus c: (0, +-0.8)
    u = torch.tensor([up, down, up, down])
    expected = -math.log(math.exp(4) / (math.exp(4) + 2 * math.exp(-4)))
    assert msad.mean_shifted(u, c, 0.25) == pytest.approx(expected, rel=1e-3)
    swapped = torch.tensor([up, down, down, up])  # the views of one image disagree
    expected = -math.log(math.exp(-4) / (math.exp(4) + 2 * math.exp(-4)))
    assert msad.mean_shifted(swapped, c, 0.25) == pytest.approx(expected, rel=1e-5)


def test_mean_shifted_loss_by_its_sums():
    rng = np.random.default_rng(0)
    u = rng.normal(size=(10, 6))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    c = u.mean(0)
    v = (u - c) / np.linalg.norm(u - c, axis=1, keepdims=True)
    total = 0
    for i in range(10):
        terms = [math.exp(v[i] @ v[k] / 0.25) for k in range(10) if k != i]
        total -= math.log(math.exp(v[i] @ v[(i + 5) % 10] / 0.25) / sum(terms))
    found = msad.mean_shifted(torch.from_numpy(u), torch.from_numpy(c), 0.25)
    assert found == pytest.approx(total / 10)


def test_first_step_of_msad_by_hand(vit):
    """One step of plain SGD, with views that are the images: w - lr (gradient + decay w)."""
    pixels = noise(6, 8, 8, 3)
    plain = {"scale": (1.0, 1.0), "jitter": (0, 0, 0, 0), "grey": 0, "blur": None, "flip": False}
    square = {"epochs": 1, "batch": 6, "lr": 0.1, "weight_decay": 0.5}
    for angular in (False, True):
        detector = fitted(msad, vit, pixels, angular=angular, **plain, **square)
        model, _ = load_backbone(vit)
        freeze_as(model, None)
        u = nn.functional.normalize(features(model, view(pixels, detector.how)))
        c = u.mean(0).detach()
        c = c / c.norm() if angular else c
        pair = torch.cat([u, u])
        value = msad.mean_shifted(pair, c, 0.25)
        if angular:  # |u - c|^2 = 2 - 2 cos, once for each view
            value = value + 2 * (2 - 2 * u @ c).mean()
        value.backward()
        after = weights(detector)
        for name, p in model.named_parameters():
            if p.requires_grad:
                expected = p.detach() - 0.1 * (p.grad + 0.5 * p.detach())
                assert torch.allclose(after[name], expected, atol=1e-5), name


def test_msad_features_have_length_one(vit):
    h = fitted(msad, vit).embed(noise(5, 8, 8, 3))["features"]
    assert np.allclose(np.linalg.norm(h, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_views_are_drawn_for_each_image_and_by_the_seed(channels):
    augment = augmentation(16, (0.2, 1.0), (0.4, 0.4, 0.4, 0.1), 0.2, (0.1, 2.0), True)
    pixels = np.repeat(noise(1, 12, 12, channels), 20, axis=0)
    torch.manual_seed(1)
    first = views(pixels, augment)
    torch.manual_seed(1)
    again = views(pixels, augment)
    assert first.shape == (20, 16, 16, channels)
    assert first.dtype == np.uint8
    assert (first == again).all()
    assert len({image.tobytes() for image in first}) == 20


def test_msad_lowers_its_loss_on_views_that_it_was_not_trained_on(vit):
    rng = np.random.default_rng(0)
    base = rng.integers(60, 196, (24, 2, 2, 3)).repeat(4, 1).repeat(4, 2).astype(np.uint8)
    soft = {"scale": (0.8, 1.0), "jitter": (0.1, 0.1, 0.0, 0.0)}
    soft |= {"grey": 0, "blur": None, "flip": False}
    torch.manual_seed(0)
    other = views(base, augmentation(8, **soft))
    model, facts = load_backbone(vit)
    with torch.no_grad():
        model.patch_embed.proj.weight.mul_(5)  # untrained networks hardly look at the image,
        for block in model.blocks:  # and their class token hardly at the patches
            block.attn.qkv.weight.mul_(5)
            block.attn.proj.weight.mul_(5)
    save_backbone(vit, model, facts)
    before, after = (
        fitted(msad, vit, base, epochs=e, batch=24, lr=lr, **soft) for e, lr in ((1, 0), (60, 0.1))
    )
    c = torch.from_numpy(before.embed(base)["features"].mean(0))

    def loss(detector):
        u = np.concatenate([detector.embed(x)["features"] for x in (base, other)])  # (2B, D)
        return float(msad.mean_shifted(torch.from_numpy(u), c, 0.25))

    assert loss(after) < 0.8 * loss(before)


# ---- Transformaly ----


def test_students_see_the_teachers_inputs_and_outputs(vit):
    """Given the teacher's own weights a student errs by nothing; one changed block errs alone."""
    teacher, facts = load_backbone(vit)
    pair = Imitation(teacher, facts)
    pair.students.load_state_dict(teacher.blocks.state_dict())
    x = view(noise(3, 8, 8, 3), View(8, 8, facts["mean"], facts["std"]))
    z, errors = pair(x)
    assert torch.equal(z, features(teacher, x))
    assert all(float(e.detach().abs().max()) == 0 for e in errors)
    with torch.no_grad():
        pair.students[1].mlp.fc2.bias += 2.0
    errors = [e.detach().numpy() for e in pair(x)[1]]
    assert np.allclose(errors[1], 4.0)  # the mean over tokens and dimensions of 2^2
    assert all((e == 0).all() for i, e in enumerate(errors) if i != 1)


def test_xavier_bounds_of_the_students():
    block = create({"model": VIT, "kwargs": TINY | {"embed_dim": 64}}).blocks[0]
    xavier(block)
    for name, fans in (("attn.qkv", 64 + 64), ("attn.proj", 64 + 64), ("mlp.fc1", 64 + 256)):
        largest = block.get_submodule(name).weight.abs().max().item()
        assert largest == pytest.approx(math.sqrt(6 / fans), rel=0.05)
        assert largest <= math.sqrt(6 / fans)


def test_the_teacher_stays_and_the_students_improve(vit):
    start = load_backbone(vit)[0].state_dict()
    pixels = noise(12, 8, 8, 3)
    short, long = (fitted(transformaly, vit, pixels, epochs=e, lr=1e-2) for e in (1, 40))
    assert all(torch.equal(t, start[name]) for name, t in long.net.teacher.state_dict().items())
    assert (long.embed(pixels)["errors"].mean(0) < short.embed(pixels)["errors"].mean(0)).all()
    plain = frozen.build()
    plain.fit(None, backbone=vit)
    assert np.allclose(long.embed(pixels)["features"], plain.embed(pixels)["features"], atol=1e-5)


def test_transformaly_needs_a_network_of_blocks(resnet):
    with pytest.raises(ValueError, match=r"test_resnet.*blocks.*entry"):
        fitted(transformaly, resnet, noise(4, 32, 32, 3), crop=32, resize=32)


def test_the_score_is_the_sum_of_two_gaussian_log_likelihoods():
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    spread = np.sqrt([60.0, 25.0, 10.0, 3.0, 1.5, 0.5])  # 60, 85, 95 %, ...: two components
    bank = {
        "features": (rng.normal(size=(300, 6)) * spread) @ axes.T + 3,
        "errors": np.exp(rng.normal(size=(300, 4)) * 0.1 @ rng.normal(size=(4, 4))),
    }
    query = {name: array[:40] + 0.3 for name, array in bank.items()}
    value, vector = np.linalg.eigh(np.cov(bank["features"].T))
    lead = vector[:, ::-1][:, :2] / np.sqrt(value[::-1][:2])
    b, x = ((e["features"] - bank["features"].mean(0)) @ lead for e in (bank, query))
    agnostic = multivariate_normal(b.mean(0), np.cov(b.T, ddof=0)).logpdf(x)
    std = bank["errors"][:, 2:].std(0)
    b, x = (e["errors"][:, 2:] / std for e in (bank, query))
    tuned = multivariate_normal(b.mean(0), np.cov(b.T, ddof=0)).logpdf(x)
    for parts, expected in (
        (["agnostic"], agnostic), (["tuned"], tuned), (["agnostic", "tuned"], agnostic + tuned)
    ):  # fmt: skip
        assert np.allclose(score.build(parts=parts)(bank, query), -expected, rtol=1e-3, atol=1e-3)


def test_errors_as_they_are_are_damped_where_they_are_small():
    """The authors' way: one millionth on the diagonal is much beside errors of a thousandth."""
    rng = np.random.default_rng(0)
    bank, query = ({"errors": rng.random((n, 5)) * [1, 1, 1, 1e-3, 1e-3]} for n in (200, 40))
    b, x = bank["errors"][:, 2:], query["errors"][:, 2:]
    cov = np.cov(b.T, ddof=0) + 1e-6 * np.eye(3)
    original = multivariate_normal(b.mean(0), cov).logpdf(x)
    found = score.build(parts=["tuned"], scaled=False)(bank, query)
    assert np.allclose(found, -original, rtol=1e-4, atol=1e-4)
    ours = score.build(parts=["tuned"])(bank, query)
    assert np.corrcoef(found, ours)[0, 1] < 0.95


def test_few_images_are_described_by_few_components():
    """With 12 images two components are kept, so a change along the third does not count."""
    rng = np.random.default_rng(0)
    spread = np.array([3.0, 2.9, 2.8, 2.7, 2.6])
    h = rng.normal(size=(12, 5)) * spread
    axes = np.linalg.svd(h - h.mean(0))[2]
    bank = {"features": h, "errors": h}
    measure = score.build(parts=["agnostic"])
    at = measure(bank, {"features": h[:1], "errors": h[:1]})
    for axis, counts in ((0, True), (1, True), (2, False), (4, False)):
        moved = h[:1] + 30 * axes[axis]
        changed = abs(measure(bank, {"features": moved, "errors": moved}) - at) > 1
        assert changed == counts


def test_the_score_says_what_it_cannot_do():
    few = {"features": np.ones((1, 4)), "errors": np.ones((1, 4))}
    with pytest.raises(ValueError, match=r"1 image.*two"):
        score.build()(few, few)
    small = {"features": noise(9, 4) / 255, "errors": noise(9, 2) / 255}
    with pytest.raises(ValueError, match=r"first is 2.*2 blocks"):
        score.build()(small, small)
    same = {"features": np.ones((9, 4)), "errors": noise(9, 4) / 255}
    with pytest.raises(ValueError, match=r"features.*vary"):
        score.build()(same, same)
    with pytest.raises(ValueError, match=r"parts"):
        score.build(parts=["both"])


def test_students_find_a_texture_that_the_class_token_cannot_see(vit):
    """Normal images are of one colour, anomalies are striped in two whose mean is grey. Whitened to
    its main directions, which are those of the mean colour, the class token finds them normal; the
    students never saw a stripe."""
    model, facts = load_backbone(vit)
    with torch.no_grad():
        model.patch_embed.proj.weight.mul_(3)  # untrained networks hardly look at the image
    save_backbone(vit, model, facts)
    rng = np.random.default_rng(0)

    def plain(n):
        return rng.integers(60, 196, (n, 1, 1, 3)).repeat(8, 1).repeat(8, 2).astype(np.uint8)

    normal, new, stripes = plain(80), plain(40), plain(40)
    stripes[:, ::2] = 255 - stripes[:, ::2]
    detector = fitted(transformaly, vit, normal, epochs=40, batch=16, lr=3e-3)
    bank, low, high = (detector.embed(x) for x in (normal, new, stripes))
    a, b, both = (
        score.build(parts=parts) for parts in (["agnostic"], ["tuned"], ["agnostic", "tuned"])
    )
    assert auroc(a(bank, low), a(bank, high)) < 0.6
    assert auroc(b(bank, low), b(bank, high)) > 0.95
    assert auroc(both(bank, low), both(bank, high)) > 0.95
