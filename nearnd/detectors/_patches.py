"""Patch features of any timm network with feature maps, as PatchCore's official code makes them."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def levels(model: nn.Module, names: Sequence[str] | None, where: str) -> list[int]:
    """The places of feature maps in timm's list of them, rising; ValueError naming `where`.

    `names` are module names, such as layer2 of a ResNet, stages.1 of a ConvNeXt, blocks.5 of a ViT.
    None: the two in the middle, which are layer2 and layer3 of a ResNet.
    """
    known = [info["module"] for info in getattr(model, "feature_info", [])]
    if not known or not hasattr(model, "forward_intermediates"):
        raise ValueError(
            f"{where}: timm gives no feature maps of {type(model).__name__}; take another backbone,"
            " such as a ResNet, a ConvNeXt or a ViT"
        )
    if names is None:
        middle = (len(known) - 1) // 2
        names = known[middle : middle + 2]
    if not names or (wrong := [name for name in names if name not in known]):
        raise ValueError(
            f"{where}: layers is {list(names)}; the network has {', '.join(known)}: name some of"
            " them as `layers` of the detector's entry" + (f", not {wrong}" if names else "")
        )
    return sorted({known.index(name) for name in names})


def prune(model: nn.Module, at: list[int]) -> nn.Module:
    """The network without what comes after the last of these levels, in evaluation mode."""
    model.prune_intermediate_layers(at, prune_norm=True, prune_head=True)
    return model.eval()


def patches(maps: list[Tensor], dimension: int, size: int) -> Tensor:
    """float32 (N, h, w, D) from the maps (N, C_i, h_i, w_i) of some levels; h, w as in the first.

    A patch is a `size` x `size` neighbourhood (zeros beyond the border) of all channels, flattened
    and averaged along that vector to D = `dimension` numbers. Coarser levels are brought to the
    first one's grid. The levels' vectors are laid end to end and averaged to D numbers once more,
    so that each is the mean of neighbours in that long vector. Averages along the channels and
    interpolation over places are both linear and can change order: here the grid grows last, which
    the official code does first, on vectors that are nine times as long.
    """
    grid = maps[0].shape[2:]
    pooled = []
    for x in maps:
        h, w = x.shape[2:]
        flat = F.unfold(x, size, padding=size // 2)  # (N, C size size, h w)
        y = F.adaptive_avg_pool2d(flat, (dimension, h * w)).unflatten(2, (h, w))  # (N, D, h, w)
        if (h, w) != grid:
            y = F.interpolate(y, grid, mode="bilinear", align_corners=False)
        pooled.append(y)
    long = torch.cat(pooled, 1)  # (N, levels D, h, w)
    mean = long.unflatten(1, (dimension, len(maps))).mean(2)  # (N, D, h, w)
    return mean.movedim(1, -1)  # (N, h, w, D)
