"""The released variants of the score network besides those of the CIFAR-10 configurations."""

import itertools

import pytest
import torch

from nearnd.generators._precision import in_precision
from nearnd.networks.dropout import kept
from nearnd.networks.norm import group_norm
from nearnd.networks.resample import UpConv, up
from nearnd.networks.residual import ResBlock
from nearnd.networks.unet import UNet

HERE = torch.device("cpu")
SMALL = {"size": 8, "channels": 1, "nf": 16, "channel_mult": (1, 2), "blocks": 1, "attention": (4,)}
VARIANTS = {
    "ddpm": {"resblock": "ddpm", "fir": False, "inner": "none"},
    "ddpm, no convolution": {"resblock": "ddpm", "resample_conv": False, "inner": "none"},
    "ddpm, filtered": {"resblock": "ddpm", "fir": True},
    "cat": {"inner": "skip", "combine": "cat"},
    "output residual": {"outer": "residual"},
    "output skip": {"outer": "skip", "inner": "skip"},
    "no rescale": {"rescale": False},
    "positional": {"embedding": "positional", "by_sigma": False, "centered": True},
}


def awake(net):
    """The last layers of blocks start as nothing: here they get ordinary weights."""
    torch.manual_seed(0)
    for p in net.parameters():
        if p.requires_grad and p.dim() > 1:
            torch.nn.init.normal_(p, std=0.1)
    return net.eval()


@pytest.mark.parametrize("name", VARIANTS)
def test_images_do_not_depend_on_their_batch(name):
    net = awake(UNet(**SMALL, **VARIANTS[name]))
    x, level = torch.randn(5, 1, 8, 8), torch.rand(5) + 0.5
    with torch.no_grad():
        whole, alone = net(x, level), net(x[2:3], level[2:3])
    assert whole.shape == x.shape
    assert torch.allclose(whole[2:3], alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_weight_gets_a_gradient(name):
    net = awake(UNet(**SMALL, **VARIANTS[name]))
    net(torch.randn(3, 1, 8, 8), torch.rand(3) + 0.5).square().sum().backward()
    for weight, p in net.named_parameters():
        assert not p.requires_grad or (p.grad is not None and p.grad.abs().max() > 0), weight


def test_variants_are_different_functions():
    x, level = torch.randn(2, 1, 8, 8), torch.rand(2) + 0.5
    with torch.no_grad():
        outputs = [awake(UNet(**SMALL, **v))(x, level) for v in VARIANTS.values()]
    for a, b in itertools.combinations(outputs, 2):
        assert not torch.allclose(a, b, rtol=1e-3)


def test_a_block_that_is_nothing_but_its_shortcut():
    for gain in (1.0, 0.5):
        block = ResBlock(16, 16, 8, 0.0, gain)
        torch.nn.init.zeros_(block.conv1.weight)
        x = torch.randn(2, 16, 4, 4)
        assert torch.allclose(block(x, torch.randn(2, 8)), gain * x, atol=1e-6)


@pytest.mark.parametrize("fir", [True, False])
def test_doubling_and_then_convolving_inside(fir):
    layer = UpConv(3, 5, fir)
    x = torch.randn(2, 3, 8, 8)
    expected = torch.nn.functional.conv2d(up(x, fir), layer.conv.weight, layer.conv.bias, padding=1)
    assert layer(x).shape == (2, 5, 16, 16)
    inside = (..., slice(2, -2), slice(2, -2))  # at the border the filter reaches beyond the map
    assert torch.allclose(layer(x)[inside], expected[inside], atol=1e-5)


def test_a_sigma_is_asked_of_a_network_that_has_none():
    with pytest.raises(ValueError, match="by_sigma"):
        UNet(**SMALL, embedding="positional", by_sigma=True)


# ---- bfloat16 ----


@pytest.mark.parametrize("silu", [True, False])
@pytest.mark.parametrize(
    ("channels", "height", "width"),
    [(16, 4, 4), (12, 7, 5), (64, 16, 16), (32, 32, 32), (40, 33, 32)],
)
def test_group_norm_in_bfloat16_is_its_formula(channels, height, width, silu):
    torch.manual_seed(0)
    norm = torch.nn.GroupNorm(channels // 4, channels, eps=1e-6)
    torch.nn.init.normal_(norm.weight), torch.nn.init.normal_(norm.bias)
    offset = 3 * torch.randn(6, channels, 1, 1)  # means of some groups are far from 0
    x = (torch.randn(6, channels, height, width) + offset).bfloat16()
    rough = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    exact = x.float().requires_grad_()
    y, expected = group_norm(rough, norm, silu=silu), norm(exact)
    if silu:
        expected = torch.nn.functional.silu(expected)
    assert y.dtype == torch.bfloat16
    assert relative(y, expected) < 0.01
    dy = torch.randn_like(expected)
    weights = [norm.weight, norm.bias]
    got = torch.autograd.grad(y, [rough, *weights], dy.to(y))
    wanted = torch.autograd.grad(expected, [exact, *weights], dy)
    for g, w in zip(got, wanted, strict=True):
        assert relative(g, w) < 0.02


def relative(a, b):
    return float((a.detach().float() - b.detach()).norm() / b.detach().norm())


@pytest.mark.parametrize("name", VARIANTS)
def test_bfloat16_is_float32_but_for_rounding(name):
    net = awake(UNet(**SMALL, **VARIANTS[name]))
    x, level = torch.randn(5, 1, 8, 8), torch.rand(5) + 0.5
    exact, rough = (in_precision(net, HERE, kind) for kind in ("fp32", "bf16"))
    trained = in_precision(
        net.train(), HERE, "bf16"
    )  # weights as they are, cast when they are used
    net.eval()  # no dropout
    a, b, c = (run(x, level) for run in (exact, rough, trained))
    assert all(y.dtype == torch.float32 for y in (a, b, c))
    assert 0 < relative(b, a) < 0.05
    dy = torch.randn_like(a)
    weights = [p for p in net.parameters() if p.requires_grad]
    wanted, got = (
        torch.autograd.grad(y, weights, dy) for y in (exact(x, level), trained(x, level))
    )
    wanted, got = (torch.cat([g.flatten() for g in grads]) for grads in (wanted, got))
    assert float(torch.nn.functional.cosine_similarity(wanted, got, 0)) > 0.99


def test_training_after_sampling_in_one_process():
    net = awake(UNet(**SMALL))
    x, level = torch.randn(2, 1, 8, 8), torch.ones(2)
    with torch.inference_mode():
        net(x, level)
    net.train()(x, level).sum().backward()


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_masks_keep_the_right_share_of_every_place(p):
    torch.manual_seed(0)
    x = torch.empty(64, 8, 16, 16, dtype=torch.bfloat16).contiguous(
        memory_format=torch.channels_last
    )
    mask = kept(x, p)
    assert mask.stride() == x.stride()
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    n = x.numel()
    assert float(mask.float().mean()) == pytest.approx(1 - p, abs=4 * (p * (1 - p) / n) ** 0.5)
    alone = (mask.float().mean((0, 2, 3)) - (1 - p)).abs().max()  # each channel by itself
    assert float(alone) < 5 * (8 * p * (1 - p) / n) ** 0.5
    assert not torch.equal(kept(x, p), mask)
    torch.manual_seed(0)
    assert torch.equal(kept(x, p), mask)
