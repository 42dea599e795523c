"""The released variants of the score network besides those of the CIFAR-10 configurations."""

import itertools

import pytest
import torch

from nearnd.networks.resample import UpConv, up
from nearnd.networks.residual import ResBlock
from nearnd.networks.unet import UNet

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
