"""The score network against numbers of the public score_sde code, and its invariances."""

import math

import pytest
import torch
import torch.nn.functional as F
from reference import levels, network, networks, unet_options

from nearnd.generators._reference import copy_named, slots
from nearnd.networks.attention import PixelAttention
from nearnd.networks.resample import DownConv, down, up
from nearnd.networks.unet import UNet

SMALL = {"size": 8, "channels": 1, "nf": 16, "channel_mult": (1, 2), "blocks": 1, "attention": (4,)}


@networks
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
def test_output_agrees_with_the_reference(file, layout):
    config, weights, z = network(file)
    net = UNet(**unet_options(config)).eval()
    copy_named(net, weights)
    net.to(memory_format=layout)
    x, cond, y = z["x"], z["cond"], z["y"]
    with torch.inference_mode():
        got = net(x.contiguous(memory_format=layout), cond)
    if config["model"]["scale_by_sigma"] and not net.by_sigma:  # ours is divided outside
        got = got / torch.tensor(levels(config)).float()[cond.long(), None, None, None]
    away = (got - y).abs().amax((1, 2, 3)) / y.abs().amax((1, 2, 3))  # (N,)
    assert float(away.max()) < 1e-4


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({}, 62_758_787),
        ({"blocks": 8}, 107_586_947),
        ({"embedding": "positional", "by_sigma": False}, 62_693_251),
        (
            {"embedding": "positional", "by_sigma": False, "fir": False, "inner": "none"},
            61_804_419,
        ),
        (
            {
                "size": 256,
                "channel_mult": (1, 1, 2, 2, 2, 2, 2),
                "blocks": 2,
                "inner": "skip",
                "outer": "skip",
            },
            65_574_421,
        ),
    ],
    ids=["ve", "ve-deep", "vp-ncsnpp", "ddpmpp", "256"],
)
def test_published_networks_have_their_number_of_parameters(options, count):
    with torch.device("meta"):
        net = UNet(**options)
    assert sum(p.numel() for p in net.parameters() if p.requires_grad) == count


def test_attention_sits_where_the_paper_has_it():
    with torch.device("meta"):
        nets = [UNet(), UNet(blocks=8)]
    assert [sum(isinstance(m, PixelAttention) for m in n.modules()) for n in nets] == [6, 10]


@pytest.mark.parametrize("outer", ["none", "skip"])
def test_a_fresh_network_outputs_almost_nothing(outer):
    torch.manual_seed(0)
    net = UNet(**SMALL, outer=outer)
    y = net(torch.rand(4, 1, 8, 8), torch.ones(4))
    assert 0 < float(y.detach().abs().max()) < 1e-3


def awake(net):
    """The network with its silent last layers replaced, so that outputs depend on everything."""
    for p in net.parameters():
        if p.ndim > 1 and float(p.detach().std()) < 1e-4:
            torch.nn.init.normal_(p, std=0.1)
    return net.eval()


@pytest.mark.parametrize("inner", ["none", "residual", "skip"])
def test_an_image_does_not_depend_on_its_batch(inner):
    torch.manual_seed(0)
    net = awake(UNet(**SMALL, inner=inner))
    x, sigma = torch.randn(5, 1, 8, 8), torch.rand(5) + 0.1
    with torch.inference_mode():
        whole = net(x, sigma)
        order = torch.tensor([3, 1, 4, 0, 2])
        assert torch.allclose(net(x[order], sigma[order]), whole[order], atol=1e-5)
        assert torch.allclose(net(x[2:3], sigma[2:3]), whole[2:3], atol=1e-5)
        assert torch.allclose(net(x, sigma[:1])[:1], whole[:1], atol=1e-5)  # one level for all


def test_output_is_divided_by_the_noise_level():
    torch.manual_seed(0)
    net = awake(UNet(**SMALL))
    x, sigma = torch.randn(2, 1, 8, 8), torch.tensor([0.5, 2.0])
    scaled = net(x, sigma)
    net.by_sigma = False
    assert torch.allclose(scaled, net(x, sigma) / sigma[:, None, None, None], atol=1e-6)


@pytest.mark.parametrize("size", [4, 8, 16, 32])
def test_filtering_is_the_convolution_of_the_paper(size):
    torch.manual_seed(0)
    x = torch.randn(2, 3, size, size)
    k = torch.outer(*2 * [torch.tensor([1.0, 3.0, 3.0, 1.0])]).div(64).expand(3, 1, 4, 4)
    halved = F.conv2d(x, k, stride=2, padding=1, groups=3)
    doubled = F.conv_transpose2d(x, 4 * k, stride=2, padding=1, groups=3)
    net = DownConv(3, 5, fir=True)
    filtered = F.conv2d(x, k, padding=2, groups=3)  # (N, C, S+1, S+1)
    expected = F.conv2d(filtered, net.conv.weight, net.conv.bias, stride=2)
    assert torch.allclose(down(x, True), halved, atol=1e-5)
    assert torch.allclose(up(x, True), doubled, atol=1e-5)
    assert torch.allclose(net(x), expected, atol=1e-5)


@pytest.mark.parametrize("fir", [True, False])
@pytest.mark.parametrize("size", [8, 64])
def test_resampling_keeps_a_constant_inside(fir, size):
    x = torch.full((1, 2, size, size), 3.0)
    assert down(x, fir).shape[2:] == (size // 2, size // 2)
    assert torch.allclose(down(x, fir)[..., 1:-1, 1:-1], torch.tensor(3.0))
    assert up(x, fir).shape[2:] == (2 * size, 2 * size)
    assert torch.allclose(up(x, fir)[..., 1:-1, 1:-1], torch.tensor(3.0))


@pytest.mark.parametrize("fir", [True, False])
def test_doubling_is_four_times_the_transpose_of_halving(fir):
    x, y = torch.randn(1, 2, 16, 16), torch.randn(1, 2, 8, 8)
    assert torch.allclose(4 * (down(x, fir) * y).sum(), (x * up(y, fir)).sum(), atol=1e-4)


@pytest.mark.parametrize("size", [1, 8, 16, 17])  # the kernel changes after 16
def test_attention_equals_its_formula(size):
    torch.manual_seed(0)
    layer = awake(PixelAttention(8))
    x = torch.randn(2, 8, size, size)
    q, k, v = layer.qkv(layer.norm(x)).flatten(2).chunk(3, 1)  # (N, C, HW)
    a = torch.softmax(torch.einsum("ncp,ncq->npq", q, k) / math.sqrt(8), -1)
    y = layer.out(torch.einsum("npq,ncq->ncp", a, v).view_as(x))
    # the layer `out` has the division of the sum by sqrt(2) in its weights
    assert torch.allclose(layer(x), x / math.sqrt(2) + y, atol=1e-5)


def test_impossible_sizes_and_names_are_explained():
    with pytest.raises(ValueError, match="image size 10 cannot be halved 2 times"):
        UNet(size=10, nf=16, channel_mult=(1, 1, 1))
    with pytest.raises(ValueError, match="inner is 'pyramid'; it may be one of none, residual"):
        UNet(**SMALL, inner="pyramid")


def test_reference_weights_of_another_network_are_refused():
    net = UNet(**SMALL)
    ours = [p.detach() for p in UNet(**SMALL | {"nf": 32}).parameters()]
    with pytest.raises(ValueError, match=r"where .* is needed"):
        copy_named(net, {slot.name: p for slot, p in zip(slots(net), ours, strict=False)})
