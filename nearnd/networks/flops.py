"""Forward FLOPs of one image, counted on tensors without memory: no weights, no time.

Filters of halving and doubling are left out, since they can be computed in many ways. A
multiplication and an addition are two FLOPs.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from nearnd.contracts import Network


def forward_flops(make: Callable[[], nn.Module], *shapes: tuple[int, ...]) -> Network:
    """Of the network that `make` returns, called with inputs of these shapes, N = 1."""
    with torch.device("meta"):
        net = make().eval()
        inputs = [torch.empty(shape) for shape in shapes]
        with FlopCounterMode(display=False) as count, torch.no_grad():
            out = net(*inputs)
    out = out[0] if isinstance(out, tuple) else out
    weights = sum(p.numel() for p in net.parameters())
    return Network(float(count.get_total_flops()), weights, out.numel())


def once(count: Callable[..., Network]) -> Callable[..., Network]:
    """The function, which counts a network of equal arguments once."""
    found: dict[str, Network] = {}

    @wraps(count)
    def counted(*arguments: Any) -> Network:
        key = repr(arguments)
        if key not in found:
            found[key] = count(*arguments)
        return found[key]

    return counted


@once
def unet(network: dict[str, Any]) -> Network:
    """Of the score network with these arguments (`networks.unet.UNet`)."""
    from nearnd.networks.unet import UNet

    whole = {"size": 32, "channels": 3} | network | {"fir": False}
    shape = (1, whole["channels"], whole["size"], whole["size"])
    return forward_flops(lambda: UNet(**whole), shape, (1,))


@once
def drawn(make: Callable[..., nn.Module], network: dict[str, Any]) -> Network:
    """Of a network that draws images from latent variables, made with these arguments."""
    with torch.device("meta"):
        latent = make(**network).latent
    return forward_flops(lambda: make(**network), (1, latent))


@once
def style_discriminator(network: dict[str, Any]) -> Network:
    """Of StyleGAN2's discriminator with these arguments (`networks.style_discriminator`)."""
    from nearnd.networks.style_discriminator import StyleDiscriminator

    shape = (1, network["channels"], network["size"], network["size"])
    return forward_flops(lambda: StyleDiscriminator(**network), shape)


@once
def biggan_critic(size: int, channels: int, nf: int, attention: int | None) -> Network:
    """Of BigGAN's critic, on images of `size` pixels."""
    from nearnd.networks.biggan import Critic

    make = lambda: Critic(size, channels, nf, attention)  # noqa: E731
    return forward_flops(make, (1, channels, size, size))


@once
def backbone(model: str, kwargs: dict[str, Any]) -> Network:
    """Of the timm network `model` without its classifier, on images of its own size."""
    from nearnd.networks.backbone import create, describe

    with torch.device("meta"):
        facts = describe(create({"model": model, "kwargs": kwargs}), model, kwargs, 0.5, 0.5)
    shape = (1, facts["channels"], facts["size"], facts["size"])
    return forward_flops(lambda: create(facts), shape)


@once
def wide_resnet(size: int, channels: int, depth: int, width: int) -> Network:
    """Of WRN-depth-width, on images of `size` pixels."""
    from nearnd.networks.wide_resnet import named

    return forward_flops(lambda: named(channels, depth, width), (1, channels, size, size))


@once
def resnet(size: int, channels: int, depth: int, width: int, stem: str) -> Network:
    """Of ResNet-`depth` (`networks.resnet`), on images of `size` pixels."""
    from nearnd.networks import resnet as networks

    return forward_flops(
        lambda: networks.resnet(channels, depth, width, stem), (1, channels, size, size)
    )


@once
def lenet(size: int, channels: int, widths: list[int], hidden: int | None, code: int) -> Network:
    """Of the LeNet-style network of DeepSVDD, DeepSAD and RETH (`networks.lenet.lenet`), with as
    many of these blocks as images of `size` pixels can be halved."""
    from nearnd.networks import lenet as networks

    widths = [width for i, width in enumerate(widths) if size >> (i + 1)]
    return forward_flops(
        lambda: networks.lenet(channels, size, widths, hidden, code, bias=True),
        (1, channels, size, size),
    )


@once
def autoencoder(size: int, channels: int, width: int, code: int) -> Network:
    """Of NLN's encoder and decoder (`networks.reconstruction`), on images of `size` pixels; what
    comes out are the code, the image, its reconstruction, and a map of where they differ."""
    from nearnd.networks import reconstruction as networks

    size += -size % 2**networks.HALVINGS
    net = forward_flops(
        lambda: nn.Sequential(
            networks.encoder(channels, size, width, code),
            networks.Decoder(channels, size, width, code),
        ),
        (1, channels, size, size),
    )
    return net._replace(features=code + (2 * channels + 1) * size**2)


@once
def flow(network: dict[str, Any]) -> Network:
    """Of the flow with these arguments (`networks.dense_flow`); drawing an image takes as much."""
    from nearnd.networks.dense_flow import DenseFlow

    with torch.device("meta"):
        whole = DenseFlow(**network)
    return forward_flops(lambda: whole, (1, *whole.shape), (1, whole.noise))
