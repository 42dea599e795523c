"""A backbone cut before one of its blocks, so that what the first part gives can be kept."""

import torch
from torch import Tensor, nn

from nearnd.networks.backbone import blocks, features
from nearnd.networks.folded import sharing


@torch.no_grad()
def split(backbone: nn.Module, k: int, shape: tuple[int, ...]) -> tuple["Before", "After"]:
    """The part before block k (0, 1, ...) and the rest, which share the backbone's weights.

    `backbone` is in evaluation mode, `shape` (1, C, H, W) that of an image. ValueError if the parts
    together are not the whole: of timm's networks, where a block gets more than one tensor.
    """
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    x = x.to(next(backbone.parameters()).device)
    try:
        parts = Before(backbone, k), After(backbone, k, torch.zeros_like(x))
        a, b = features(backbone, x), parts[1](parts[0](x))
        same = bool((a - b).abs().max() <= 1e-3 * a.abs().max())
    except (TypeError, AttributeError, LookupError, RuntimeError):  # what timm's blocks raise
        same = False
    if not same:
        raise ValueError(
            f"the network {type(backbone).__name__} cannot be cut before its block {k + 1}: set"
            " `views: null` in the detector's entry"
        )
    return parts


class _Reached(Exception):
    """The cut is reached; `args` are the block's."""


class Before(nn.Module):
    """What block k gets (N, ...), of images (N, C, H, W)."""

    def __init__(self, backbone: nn.Module, k: int):
        super().__init__()
        self.backbone = sharing(backbone)
        self.block = self.backbone.get_submodule(_places(backbone)[k + 1][0])

    def forward(self, x: Tensor) -> Tensor:
        def reached(_, args: tuple) -> None:
            raise _Reached(*args)

        hook = self.block.register_forward_pre_hook(reached)
        try:
            self.backbone.forward_features(x)
        except _Reached as cut:
            return cut.args[0]  # (N, ...)
        finally:
            hook.remove()


class After(nn.Module):
    """The features (N, D) of what `Before` gives. The stem sees a `blank` image (1, C, H, W), for
    nothing, and the blocks before k are gone."""

    def __init__(self, backbone: nn.Module, k: int, blank: Tensor):
        super().__init__()
        self.backbone = sharing(backbone)
        _, *places = _places(backbone)
        for name in (name for place in places[:k] for name in place):
            self.backbone.set_submodule(name, nn.Identity())
        self.block = self.backbone.get_submodule(places[k][0])
        self.blank = blank

    def forward(self, h: Tensor) -> Tensor:
        hook = self.block.register_forward_pre_hook(lambda _, args: (h, *args[1:]))
        try:
            return features(self.backbone, self.blank)  # (N, D)
        finally:
            hook.remove()


def _places(backbone: nn.Module) -> list[list[str]]:
    """Of the stem and of each block the names of its modules, each as far out as holds no
    parameter of another one."""
    groups = blocks(backbone)
    owner = {name: i for i, group in enumerate(groups) for name in group}

    def outermost(name: str) -> str:
        parts = name.split(".")
        for place in (".".join(parts[:i]) + "." for i in range(1, len(parts))):
            if len({owner[other] for other in owner if other.startswith(place)}) == 1:
                return place[:-1]

    return [list(dict.fromkeys(outermost(n) for n in group if "." in n)) for group in groups]
