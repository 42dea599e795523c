"""Weights of the public score_sde code in our U-Net: the same tensors in the same order."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from nearnd.networks.attention import PixelAttention
from nearnd.networks.embedding import Fourier
from nearnd.networks.unet import UNet


@torch.no_grad()
def copy_weights(net: UNet, tensors: Iterable[Tensor], *, frozen: bool = True) -> None:
    """Fills `net` from the reference's parameters in its order (`all_modules.0...`).

    `frozen` says whether the Fourier frequencies are among them: they are in a state dict, but not
    in the list of averaged weights. The reference's attention has separate query, key and value
    matrices stored (in, out). ValueError if a count or a shape differs.
    """
    source = iter(tensors)

    def put(target: Tensor, matrix: bool = False) -> None:
        t = next(source, None)
        if t is not None and matrix:
            t = t.mT.reshape(target.shape)  # (in, out) -> (out, in, 1, 1)
        if t is None or t.shape != target.shape:
            found = "nothing" if t is None else tuple(t.shape)
            raise ValueError(f"the checkpoint has {found} where {tuple(target.shape)} is needed")
        target.copy_(t)

    attentions = {
        layer: a for a in net.modules() if isinstance(a, PixelAttention) for layer in (a.qkv, a.out)
    }
    for layer in net.modules():
        if isinstance(layer, Fourier):
            if frozen:
                put(layer.W)
        elif layer in attentions:
            parts = 3 if layer is attentions[layer].qkv else 1
            for weight, bias in zip(
                layer.weight.chunk(parts), layer.bias.chunk(parts), strict=True
            ):
                put(weight, matrix=True)
                put(bias)
        elif getattr(layer, "weight", None) is not None:
            put(layer.weight)
            put(layer.bias)
    if next(source, None) is not None:
        raise ValueError("the checkpoint has more tensors than the network")
