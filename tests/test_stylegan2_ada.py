"""StyleGAN2-ADA: networks and augmentation beside the authors', the penalties, the heuristic."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck, gradgradcheck

from nearnd import catalog
from nearnd.generators.stylegan2_ada import TOY, build
from nearnd.networks.ada import Ada
from nearnd.networks.ada_colour import colours, draw_colours, recoloured
from nearnd.networks.ada_geometry import (
    bilinear,
    draw_maps,
    moved,
    rotation,
    scaling,
    translation,
)
from nearnd.networks.modulated import modulated
from nearnd.networks.resample import filtered
from nearnd.networks.style_discriminator import StyleDiscriminator
from nearnd.networks.style_generator import StyleGenerator
from nearnd.networks.style_penalties import DECAY, PathPenalty, path_lengths, r1

CATALOG = catalog.whole(Path(__file__).parents[1] / "config" / "catalog")
WIDTHS = {"size": 16, "channels": 3, "channel_base": 64, "channel_max": 8}
STYLES = {"z_dim": 5, "w_dim": 6, "mapping_layers": 2}
CRITIC = {"architecture": "residual", "group": 2}


def waves(*shape, shift=0.0):
    """Numbers between -1 and 1 that other code can make too."""
    k = torch.arange(torch.Size(shape).numel(), dtype=torch.float64)
    return (torch.sin(0.37 * k + shift) + 0.5 * torch.sin(2.3 * k)).view(shape).float()


@torch.no_grad()
def filled(net):
    """The network with such weights."""
    for i, (_, t) in enumerate(sorted(net.state_dict().items())):
        t.copy_(waves(*t.shape, shift=i))
    return net.eval()


# ---- beside the authors' code: github.com/NVlabs/stylegan2-ada-pytorch, on the same weights ----

# of two images the pixels (0, 0, 3, 5) and (1, 2, 12, 4), of two others the logits
AUTHORS = {
    "skip": [0.368626, -1.458983, 0.178416, 0.158225],
    "residual": [-1.031622, -1.358186, 1.853762, 1.816695],
    "plain": [-0.595277, -2.388246, 0.171033, 0.176225],
}


@pytest.mark.parametrize("architecture", AUTHORS)
def test_networks_are_those_of_the_authors(architecture):
    g = filled(StyleGenerator(**WIDTHS, **STYLES, architecture=architecture))
    latent = waves(2, g.latent)
    latent[1, 5:] = latent[0, 5:]  # theirs has the same noise in all images
    with torch.no_grad():
        x = g(latent, truncation=0.7)
        d = filled(StyleDiscriminator(**WIDTHS, architecture=architecture, group=2))
        found = [*x[[0, 1], [0, 2], [3, 12], [5, 4]], *d(waves(2, 3, 16, 16))]
    assert torch.tensor(found).tolist() == pytest.approx(AUTHORS[architecture], rel=1e-4)


# the augmentation with all transformations where their distributions are at this quantile: pixels
# (0, 3, 5), (1, 8, 8), (2, 12, 4)
QUANTILES = {
    0.2: [-0.645168, 0.641337, 0.580080],
    0.7: [0.954760, 0.034461, -0.826878],
    0.9: [-0.780571, -0.740837, -0.594663],
}


@pytest.mark.parametrize("q", QUANTILES)
def test_the_augmentation_is_that_of_the_authors(q):
    one, z = torch.ones(1), torch.erfinv(torch.tensor(2 * q - 1))
    x = waves(1, 3, 16, 16)
    turn, by = one * (2 * q - 1) * np.pi, torch.exp2(0.2 * z) * one
    whole, part = (one * (2 * q - 1) * 2).round(), 0.125 * 16 * z * one
    maps = [
        scaling(one * (1 - 2 * int(2 * q)), one), rotation(one * int(4 * q) * np.pi / 2),
        translation(-whole, -whole), scaling(1 / by, 1 / by), rotation(turn),
        scaling(1 / by, by), translation(-part, -part),
    ]  # fmt: skip
    m = torch.eye(3)[None]
    for each in maps:
        m = m @ each
    colour = (0.2 * z * one, torch.exp2(z / 2) * one, one * int(2 * q), turn, torch.exp2(z) * one)
    y = recoloured(moved(x, m), colours(*colour))[0]
    found = [y[0, 3, 5], y[1, 8, 8], y[2, 12, 4]]
    assert torch.tensor(found).tolist() == pytest.approx(QUANTILES[q], abs=2e-5)


# ---- the modulated convolution ----


@pytest.mark.parametrize("double", [False, True])
def test_it_is_an_ordinary_convolution_with_the_scaled_weights_for_each_image(double):
    x, w, s = waves(3, 4, 6, 6), waves(5, 4, 3, 3, shift=1), 1 + waves(3, 4, shift=2) / 2
    found = modulated(x, w, s, double=double)
    for image, of, y in zip(x, s, found, strict=True):
        own = w * of[:, None, None]  # (5, 4, 3, 3)
        own = own / own.square().sum((1, 2, 3), keepdim=True).sqrt()
        if double:
            zeros = torch.zeros(4, 13, 13)  # between the pixels, and one row beyond the last
            zeros[:, 1::2, 1::2] = image
            wide = F.conv2d(zeros[None], own.flip((2, 3)), padding=1)
            expected = filtered(wide, padding=1, gain=4)
        else:
            expected = F.conv2d(image[None], own, padding=1)
        assert torch.allclose(y, expected[0], atol=1e-5)


def test_demodulation_keeps_unit_variance_whatever_the_styles():
    torch.manual_seed(0)
    x, w = torch.randn(2, 16, 64, 64), 3 * torch.randn(8, 16, 3, 3)
    s = torch.exp(torch.randn(2, 16))
    inside = modulated(x, w, s)[..., 1:-1, 1:-1]  # at the border there are zeros among the inputs
    assert inside.var((2, 3)).flatten().tolist() == pytest.approx([1] * 16, abs=0.12)
    assert float(inside.var()) == pytest.approx(1, abs=0.03)
    plain = modulated(x, w, s, demodulate=False)[..., 1:-1, 1:-1]
    expected = (w.square().sum((2, 3)) @ s.square().T).T  # (2, 8)
    assert torch.allclose(plain.var((2, 3)) / expected, torch.ones(2, 8), atol=0.12)


# ---- penalties ----


def test_r1_is_what_finite_differences_say():
    d = filled(StyleDiscriminator(**WIDTHS | {"size": 8, "channels": 1}, **CRITIC)).double()
    x = waves(2, 1, 8, 8).double()
    shown = x.clone().requires_grad_()
    found = r1(d(shown), shown)  # (2,)
    # of all logits together: images of a batch see each other's deviation
    e = 1e-6 * torch.eye(128).view(128, 2, 1, 8, 8)
    with torch.no_grad():
        slope = torch.stack([(d(x + one).sum() - d(x - one).sum()) / 2e-6 for one in e])  # (128,)
    assert torch.allclose(found, slope.view(2, 64).square().sum(1), rtol=1e-5)


@pytest.mark.parametrize("penalty", ["r1", "path"])
def test_the_gradient_of_a_penalty_is_what_finite_differences_say(penalty):
    """Through the augmentation too, as far as it is in the way."""
    if penalty == "r1":
        net = filled(StyleDiscriminator(**WIDTHS | {"size": 8}, **CRITIC)).double()
        x, maps = waves(2, 3, 8, 8).double(), draw(2, 8)
        weight = net.last.weight

        def loss():
            shown = x.clone().requires_grad_()
            return r1(
                net(recoloured(moved(shown, maps[0].double()), maps[1].double())), shown
            ).mean()
    else:
        net = filled(StyleGenerator(**WIDTHS | {"size": 8}, **STYLES, architecture="skip")).double()
        z, noise = waves(2, net.latent).double().split(net.parts, 1)
        y = waves(2, 3, 8, 8, shift=3).double()
        weight = net.synthesis.first.weight

        def loss():
            w = net.styles(z)
            return PathPenalty().double()(path_lengths(net.synthesis(w, noise), w, y)).mean()

    (g,) = torch.autograd.grad(loss(), weight)
    for at in ((0, 0, 0, 0), (2, 3, 1, 2)):
        ends = []
        for e in (1e-5, -1e-5):
            with torch.no_grad():
                weight[at] += e
            ends.append(float(loss().detach()))
            with torch.no_grad():
                weight[at] -= e
        assert float(g[at]) == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-4, abs=1e-9)


def test_path_lengths_are_what_finite_differences_say():
    g = filled(StyleGenerator(**WIDTHS | {"size": 8}, **STYLES, architecture="skip")).double()
    z, noise = waves(1, g.latent).double().split(g.parts, 1)
    y = waves(1, 3, 8, 8, shift=3).double()
    w = g.styles(z).clone()  # (1, 4, 6)
    found = path_lengths(g.synthesis(w.requires_grad_(), noise), w, y)
    slope = []
    with torch.no_grad():
        for one in 1e-6 * torch.eye(24).view(24, 1, 4, 6):
            ends = [(g.synthesis(w + e, noise) * y).sum() / 8 for e in (one, -one)]
            slope.append(float(ends[0] - ends[1]) / 2e-6)
    expected = (np.square(slope).reshape(4, 6).sum(1).mean()) ** 0.5
    assert float(found.detach()) == pytest.approx(expected, rel=1e-5)


def test_the_path_penalty_pulls_towards_a_slow_mean():
    penalty = PathPenalty()
    lengths, a = torch.tensor([3.0, 5.0]), 0.0
    for _ in range(3):
        a += DECAY * (4 - a)
        assert torch.allclose(penalty(lengths), (lengths - a) ** 2)
    assert float(penalty.a) == pytest.approx(a)


# ---- augmentation ----


def draw(n, side, p=1.0):
    torch.manual_seed(3)
    return draw_maps(n, side, torch.tensor(p)), draw_colours(n, torch.tensor(p))


@pytest.mark.parametrize(("channels", "side"), [(1, 8), (3, 8), (3, 32)])
def test_nothing_changes_at_probability_zero(channels, side):
    x = waves(5, channels, side, side)
    assert torch.allclose(Ada(p=0.0)(x), x, atol=5e-6)
    maps, tints = draw(5, side, 0.0)
    assert torch.equal(maps, torch.eye(3).expand(5, 3, 3))
    assert torch.allclose(tints, torch.eye(3, 4).expand(5, 3, 4), atol=1e-6)


def test_mirrors_turns_and_moves_are_what_they_say():
    """Moves by whole pixels exactly, mirrors nearly: the wavelet is not quite symmetric."""
    x, one = waves(1, 3, 16, 16), torch.ones(1)
    smooth = F.avg_pool2d(F.pad(x, (2,) * 4, mode="reflect"), 5, 1) / 8  # below 0.2
    assert (moved(smooth, scaling(-one, one)) - smooth.flip(3)).abs().max() < 0.01
    assert (moved(smooth, rotation(one * np.pi / 2)) - smooth.rot90(1, (2, 3))).abs().max() < 0.01
    assert torch.allclose(
        moved(x, translation(-one, 2 * one))[..., :-2, 1:], x[..., 2:, :-1], atol=1e-5
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_the_augmentation_can_be_differentiated_twice(channels):
    maps, tints = (m.double() for m in draw(2, 8))
    x = waves(2, channels, 8, 8).double().requires_grad_()
    assert gradcheck(lambda x: recoloured(moved(x, maps), tints), (x,), fast_mode=True)
    grid = waves(2, 3, 3, 2).double()
    assert gradgradcheck(lambda x: bilinear(x, grid).square(), (x,), fast_mode=True)


def test_each_transformation_comes_with_probability_p():
    torch.manual_seed(0)
    p = torch.tensor(0.3)
    tints, maps = draw_colours(4000, p), draw_maps(4000, 32, p)
    shift = maps[:, :2, 2]
    still = (shift == 0).all(1).float().mean()  # two translations, the first of 0 to 4 pixels
    assert float(still) == pytest.approx(0.7 * (0.7 + 0.3 / 81), abs=0.03)
    # orientation changes by mirrors alone, and half of those drawn are none
    assert float((maps[:, :2, :2].det() < 0).float().mean()) == pytest.approx(0.15, abs=0.02)
    # grey stays grey; its brightness moves with probability p
    grey = tints[..., :3].sum(2) + tints[..., 3]  # of white, (4000, 3)
    assert torch.allclose(grey, grey[:, :1].expand(-1, 3), atol=1e-5)
    assert float((tints[..., 3].abs() > 1e-6).any(1).float().mean()) == pytest.approx(0.3, abs=0.03)


def test_p_moves_as_the_heuristic_says():
    """Up where r_t > 0.6, down where below, so that 500,000 images take it from 0 to 1."""
    ada, up = Ada(), torch.tensor([1.0] * 9 + [-1.0])  # r_t = 0.8
    for k in range(1, 4):
        for _ in range(4):
            ada.seen(up)
        ada.move(4 * 64)
        assert float(ada.p) == pytest.approx(k * 256 / 500_000)
        assert not ada.signs.any()
    ada.seen(torch.tensor([5.0, 5.0, 5.0, -0.1]))  # r_t = 0.5, whatever the sizes
    ada.move(4 * 64)
    assert float(ada.p) == pytest.approx(2 * 256 / 500_000)
    for logits, end in ((up, 1.0), (-up, 0.0)):
        ada.seen(logits)
        ada.move(10**6)
        assert float(ada.p) == end
    fixed = Ada(target=None, p=0.25)
    fixed.seen(up)
    fixed.move(10**6)
    assert float(fixed.p) == 0.25


# ---- the training ----


@pytest.fixture(autouse=True)
def on_cpu(monkeypatch):
    monkeypatch.setenv("NEARND_DEVICE", "cpu")


def test_a_killed_training_ends_in_the_same_bytes(tmp_path):
    """With p, the mean path length and the moments of both optimizers where they were."""
    pixels = (127 + 127 * np.sin(np.arange(9 * 64).reshape(9, 8, 8, 1))).astype(np.uint8)
    short = TOY | {"steps": 6, "snapshots": [2, 3, 6], "r1_every": 3, "ada_images": 100}
    ends = []
    for name, last in (("whole", 6), ("killed", 3)):
        for until in (last, 6):
            build(**short).train(
                pixels,
                seed=1,
                folder=tmp_path / name,
                monitor=lambda step, file: step >= until,  # noqa: B023
            )
        ends.append((tmp_path / name / "step0000006.safetensors").read_bytes())
        ends.append((tmp_path / name / "last.safetensors").read_bytes())
    assert ends[:2] == ends[2:]


def test_the_average_of_the_weights_forgets_as_published():
    """Half of the weights' average is forgotten after ema_images, or at first a share of those
    shown."""
    from nearnd.generators._style_training import compete

    model = build(**TOY | {"ema_images": 1000.0, "ema_ramp": 0.05})
    rate = compete(model, model.network(8, 1), lambda k: None, torch.device("cpu")).ema["generator"]
    assert rate(10) == pytest.approx(0.5 ** (8 / (0.05 * 80)))
    assert rate(10**6) == pytest.approx(0.5 ** (8 / 1000))


def test_truncation_draws_towards_the_average():
    g = filled(StyleGenerator(**WIDTHS, **STYLES, architecture="skip"))
    z = waves(4, 5)
    mean, near, far = (g.styles(z, psi)[:, 0] for psi in (0.0, 0.5, 1.0))
    assert torch.allclose(mean, g.mapping.average.expand(4, -1))
    assert torch.allclose(near, (mean + far) / 2, atol=1e-6)


@pytest.mark.parametrize(
    ("option", "size", "words"),
    [
        ({"group": 3}, 8, "group is 3; it may be a number that divides batch, 8"),
        ({"channel_base": 16}, 32, "channel_base is 16; for images of 32 pixels it may be 32"),
        ({}, 28, "these have 28 pixels: set `size`"),
    ],
)
def test_what_cannot_work_is_said(tmp_path, option, size, words):
    with pytest.raises(ValueError, match=words):
        build(**TOY | option).train(
            np.zeros((4, size, size, 1), np.uint8), seed=0, folder=tmp_path, monitor=lambda s, f: 0
        )


# `cifar` of the authors' train.py, and what their code takes for it beside
AS_PUBLISHED = {
    "z_dim": 512, "w_dim": 512, "mapping_layers": 2, "channel_base": 32768, "channel_max": 512,
    "architecture": "skip", "architecture_critic": "plain", "group": 32, "lr": 2.5e-3, "r1": 0.01,
    "r1_every": 16, "path": 0.0, "path_every": 4, "mixing": 0.0, "ema_images": 500_000,
    "ema_ramp": 0.05, "target": 0.6, "p": 0.0, "ada_images": 500_000, "ada_every": 4,
    "truncation": 1.0, "flip": False, "batch": 64, "steps": 1_562_500, "snapshots": 40,
}  # fmt: skip


@pytest.mark.parametrize(
    ("entry", "side", "weights"),
    [("stylegan2_ada_cifar", 32, (19_947_539, 20_720_641)),
     ("stylegan2_ada_paper256", 256, (24_767_458, 24_001_089))],
)  # fmt: skip
def test_networks_of_the_catalog_have_as_many_weights_as_the_authors(entry, side, weights):
    arguments = {
        k: v for k, v in CATALOG["generators"][entry].items() if k not in ("kind", "monitor")
    }
    model = build(**arguments)
    net = model.network(side, 3)
    with torch.device("meta"):
        nets = model.bare(**net), StyleDiscriminator(**model.critic(net))
    assert tuple(sum(p.numel() for p in one.parameters()) for one in nets) == weights
    if entry.endswith("cifar"):
        assert build(**arguments) == build(**AS_PUBLISHED)
