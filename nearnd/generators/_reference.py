"""Our U-Net in the words of the public score_sde code: its names, its order, its layouts.

The reference keeps all layers in one list, `all_modules.<i>`, in the order in which ours are made;
inside a block its parameters have the names below. Its attention has separate query, key and value
matrices, stored (in, out).
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from nearnd.networks.attention import PixelAttention
from nearnd.networks.embedding import Fourier
from nearnd.networks.init import NIN
from nearnd.networks.resample import DownConv, Resample, UpConv
from nearnd.networks.residual import ResBlock
from nearnd.networks.unet import UNet

FREQUENCIES = "all_modules.0.W"  # of the Fourier features: frozen, so in no list of averages
ENTRIES = (
    *(Fourier, ResBlock, PixelAttention, DownConv, UpConv, Resample),
    *(nn.Conv2d, nn.Linear, nn.GroupNorm),
)
RES = {"norm0": "GroupNorm_0", "conv0": "Conv_0", "dense": "Dense_0", "norm1": "GroupNorm_1",
       "conv1": "Conv_1", "skip": "Conv_2"}  # fmt: skip


class Slot(NamedTuple):
    """A tensor of the reference, and where it goes."""

    name: str  # in the reference's state dict
    target: Tensor  # our parameter, or the part of it
    matrix: bool  # whether the reference has it as (in, out)

    @property
    def shape(self) -> tuple[int, ...]:
        """The reference's shape."""
        return tuple(self.target.mT.shape if self.matrix else self.target.shape)


def slots(net: UNet) -> list[Slot]:
    """All tensors of the reference's state dict for this network, in its order (no `sigmas`)."""
    return [
        Slot(f"all_modules.{i}.{name}", target, matrix)
        for i, (path, module) in enumerate(_modules(net))
        for name, target, matrix in _inside(path, module)
    ]


@torch.no_grad()
def copy_named(net: UNet, tensors: Mapping[str, Tensor]) -> None:
    """Fills `net` from the reference's state dict without `sigmas`; ValueError, which names the
    tensor, if the names, their order or a shape are not those of this network."""
    wanted = slots(net)
    for slot, (name, t) in zip(wanted, tensors.items(), strict=False):
        if name != slot.name:
            raise ValueError(f"it has {name} where {slot.name} {slot.shape} is needed")
        if tuple(t.shape) != slot.shape:
            raise ValueError(f"{name} is {tuple(t.shape)} where {slot.shape} is needed")
    if len(tensors) != len(wanted):
        more = len(tensors) > len(wanted)
        name = list(tensors)[len(wanted)] if more else wanted[len(tensors)].name
        raise ValueError(
            f"it has {len(tensors)} tensors where {len(wanted)} are needed: {name} is"
            f" {'too much' if more else 'missing'}"
        )
    for slot in wanted:
        t = tensors[slot.name]
        slot.target.copy_(t.mT if slot.matrix else t)


def _modules(parent: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """(path, layer or block) with parameters, as they stand in the reference's list."""
    for name, child in parent.named_children():
        at = f"{path}.{name}"
        if isinstance(child, ENTRIES):
            yield at, child
        else:
            yield from _modules(child, at)


def _inside(path: str, module: nn.Module) -> Iterator[tuple[str, Tensor, bool]]:
    """(name, target, matrix) of the parameters of one entry of the list."""
    if isinstance(module, Fourier):
        yield "W", module.W, False
    elif isinstance(module, PixelAttention):
        yield from _plain("GroupNorm_0", module.norm)
        parts = [*_thirds(module.qkv), (module.out.weight, module.out.bias)]
        for i, (weight, bias) in enumerate(parts):
            yield from _nin(f"NIN_{i}", weight, bias)
    elif isinstance(module, ResBlock):
        for name, layer in module.named_children():
            if isinstance(layer, NIN):
                yield from _nin("NIN_0", layer.weight, layer.bias)
            else:
                yield from _plain(RES[name], layer)
    elif isinstance(module, (DownConv, UpConv)):
        yield from _plain("Conv2d_0" if module.fir else "Conv_0", module.conv)
    elif not isinstance(module, Resample):  # which has nothing inside
        # in the encoder the image's own path joins through a Combine block
        yield from _plain("Conv_0" if path.startswith(".encoder") else "", module)


def _thirds(layer: nn.Module) -> Iterator[tuple[Tensor, Tensor]]:
    return zip(layer.weight.chunk(3), layer.bias.chunk(3), strict=True)


def _nin(name: str, weight: Tensor, bias: Tensor) -> Iterator[tuple[str, Tensor, bool]]:
    yield f"{name}.W", weight[:, :, 0, 0], True
    yield f"{name}.b", bias, False


def _plain(name: str, layer: nn.Module) -> Iterator[tuple[str, Tensor, bool]]:
    prefix = f"{name}." if name else ""
    yield f"{prefix}weight", layer.weight, False
    yield f"{prefix}bias", layer.bias, False
