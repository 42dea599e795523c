"""Ways of computing a network that are faster and give the same: cut, folded, other gradients."""

import copy

import pytest
import torch
from torch import nn

from nearnd.networks.backbone import blocks, create, features
from nearnd.networks.backward import Depthwise, for_training
from nearnd.networks.folded import Folded, folded, sharing
from nearnd.networks.precision import dtype, for_inference
from nearnd.networks.split import split

VIT = {"img_size": 16, "patch_size": 4, "embed_dim": 16, "depth": 4, "num_heads": 2}
NETWORKS = {
    "vit_tiny_patch16_224": (VIT, 16),
    "tf_efficientnet_lite0": ({}, 64),
    "resnet18": ({}, 32),
}
CPU = torch.device("cpu")


def network(name: str) -> nn.Module:
    """In evaluation mode, with batch norms that do something."""
    torch.manual_seed(0)
    net = create({"model": name, "kwargs": NETWORKS.get(name, ({}, 0))[0]})
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return net.eval()


def images(name: str, n: int = 2) -> torch.Tensor:
    side = NETWORKS[name][1]
    return torch.randn(n, 3, side, side)


@pytest.fixture(params=NETWORKS)
def name(request):
    return request.param


# ---- cut in two ----


def test_the_parts_of_a_cut_network_give_what_the_whole_gives(name):
    """Bit for bit, before whatever block it is cut; more the deeper it is."""
    net, x = network(name), images(name)
    with torch.no_grad():
        whole = features(net, x)
        for k in range(len(blocks(net)) - 1):
            before, after = split(net, k, (1, *x.shape[1:]))
            assert torch.equal(after(before(x)), whole)
            later = sum(p.numel() for p in after.backbone.parameters())
            assert not k or later < sum(p.numel() for p in net.parameters())


def test_the_parts_share_the_weights_of_the_whole(name):
    net, x = network(name), images(name)
    before, after = split(net, 2, (1, *x.shape[1:]))
    features(net, x).square().sum().backward()
    wanted = {n: p.grad.clone() for n, p in net.named_parameters()}
    net.zero_grad()
    after(before(x)).square().sum().backward()
    assert all(torch.equal(p.grad, wanted[n]) for n, p in net.named_parameters())
    with torch.no_grad():
        for p in net.parameters():
            p.mul_(1.1)
        assert torch.equal(after(before(x)), features(net, x))


def test_a_network_that_cannot_be_cut_is_refused():
    """DenseNet hands on a list."""
    with pytest.raises(ValueError, match="DenseNet cannot be cut before its block 4: set `views"):
        split(network("densenet121"), 3, (1, 3, 32, 32))
    with pytest.raises(ValueError, match="cannot be cut before its block 5"):
        split(network("vit_tiny_patch16_224"), 4, (1, 3, 16, 16))  # it has four


# ---- without batch norms ----


@pytest.mark.parametrize(("model", "norms"), [("tf_efficientnet_lite0", 49), ("resnet18", 20)])
def test_folded_norms_give_the_same_features_and_gradients(model, norms):
    net, x = network(model), images(model)
    fast = folded(net, (1, *x.shape[1:]), features)
    assert sum(isinstance(m, Folded) for m in fast.modules()) == norms
    gradients = []
    for one in (net, fast):
        net.zero_grad()
        z = features(one, x)
        z.square().mean().backward()
        gradients.append([z.detach(), *(p.grad.clone() for p in net.parameters())])
    for a, b in zip(*gradients, strict=True):
        assert (a - b).abs().max() <= 1e-4 * a.abs().max()


def test_a_network_whose_modules_stand_in_another_order_is_left_alone():
    """In ResNet v2 a norm comes before its convolution; a ViT has none."""
    for net, side in ((network("resnetv2_50"), 32), (network("vit_tiny_patch16_224"), 16)):
        assert folded(net, (1, 3, side, side), features) is net


def test_merged_norms_in_bfloat16_leave_the_network_alone():
    net, x = network("tf_efficientnet_lite0"), images("tf_efficientnet_lite0")
    before = copy.deepcopy(net.state_dict())
    quick = for_inference(folded(net, (1, *x.shape[1:]), features), torch.bfloat16)
    assert not any(isinstance(m, Folded | nn.BatchNorm2d) for m in quick.modules())
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        a, b = features(net, x).float(), features(quick, x).float()
    assert (a - b).norm() < 0.05 * a.norm()
    after = net.state_dict()
    assert all(torch.equal(after[n], t) and after[n].dtype == t.dtype for n, t in before.items())


# ---- gradients ----


@pytest.mark.parametrize(("kernel", "stride", "side", "same"), [
    (5, 1, 9, False), (5, 2, 8, False), (7, 1, 9, False), (5, 1, 3, False), (5, 2, 9, True),
])  # fmt: skip
def test_the_gradient_of_a_wide_depthwise_convolution(kernel, stride, side, same):
    from timm.layers import Conv2dSame

    torch.manual_seed(0)
    kind = Conv2dSame if same else nn.Conv2d
    conv = kind(6, 6, kernel, stride, kernel // 2, groups=6)
    x = torch.randn(2, 6, side, side + 1, requires_grad=True)
    found = []
    for _ in range(2):
        conv.zero_grad()
        x.grad = None
        y = conv(x)
        y.sin().sum().backward()
        found.append([y.detach(), x.grad, conv.weight.grad, conv.bias.grad])
        for_training(conv, torch.float32, CPU)
        assert type(conv) is Depthwise
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(*found, strict=True))


def test_other_convolutions_stay_what_they_are():
    ways = ({"groups": 4, "kernel_size": 3}, {"groups": 2, "kernel_size": 5},
            {"groups": 4, "kernel_size": 5, "dilation": 2},
            {"groups": 4, "kernel_size": 5, "padding_mode": "reflect", "padding": 1})  # fmt: skip
    for how in ways:
        conv = nn.Conv2d(4, 4, **how)
        for_training(conv, torch.float32, CPU)
        assert type(conv) is nn.Conv2d


def test_attention_as_products_is_attention():
    """In bfloat16, and not in float32, where the fused one is no slower."""
    net, x = network("vit_tiny_patch16_224"), images("vit_tiny_patch16_224")
    for_training(net, torch.float32, CPU)
    assert all(block.attn.fused_attn for block in net.blocks)
    whole = features(net, x)
    for_training(net, torch.bfloat16, CPU)
    assert not any(block.attn.fused_attn for block in net.blocks)
    assert torch.allclose(features(net, x), whole, atol=1e-5)
    assert all(b.attn.fused_attn for b in for_inference(net, torch.bfloat16).blocks)


# ---- precision ----


def test_precision_by_what_was_measured():
    """EfficientNet embeds faster in bfloat16 and trains slower; the digits' small ViT stays."""
    on = torch.device("meta")
    with on:
        lite, vit, resnet, small = (
            create({"model": model, "kwargs": kwargs})
            for model, kwargs in (
                ("tf_efficientnet_lite0", {}),
                ("vit_small_patch14_dinov2", {"img_size": 112}),
                ("resnet18", {}),
                ("vit_tiny_patch16_224", {"embed_dim": 128, "depth": 4, "num_heads": 4}),
            )
        )
    cpu = dtype(resnet, CPU)  # bfloat16 where the processor has it
    assert [dtype(net, CPU) for net in (lite, vit, small)] == [cpu, cpu, torch.float32]
    training = [dtype(net, CPU, training=True) for net in (lite, vit, resnet)]
    assert training == [torch.float32, cpu, cpu]
    assert dtype(lite, CPU, "bf16", training=True) == torch.bfloat16


def test_a_sharing_copy_has_modules_of_its_own():
    net = network("vit_tiny_patch16_224")
    other = sharing(net)
    pairs = zip(net.parameters(), other.parameters(), strict=True)
    assert all(p is q for p, q in pairs)
    other.set_submodule("norm", nn.Identity())
    assert isinstance(net.norm, nn.LayerNorm)
