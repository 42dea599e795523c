"""Patch features of any timm network with feature maps, and what detectors on them share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nearnd.detectors._trained import OF_ONE_SIZE, Given, OnBackbone
from nearnd.files.header import NULL, either, extended, number, several, whole
from nearnd.jobs.device import device
from nearnd.networks import tiles
from nearnd.networks.precision import autocast, dtype, for_inference
from nearnd.networks.transform import view

BATCH = 16  # images; PatchCore's neighbourhoods are 22 MB each with the default at 224 pixels
KEPT = 1 << 29  # bytes of maps that stay in memory while a training sees them again and again


@dataclass
class OnPatches(OnBackbone):
    """A detector on feature maps of a pretrained network."""

    layers: list[str] | None = None  # names of the network's maps; null: the two in the middle,
    # layer2 and layer3 of a ResNet (PatchCore's code)

    FACTS = extended(
        OnBackbone.FACTS, levels=several(whole(0, 1000)), map_share=number(0, 1),
        tile=either(NULL, several(whole(), 2, 2)) | {"default": None},
    )  # fmt: skip
    tile = None  # the side of the pieces in which a larger image is seen; an option of some kinds
    normed = False  # whether a ViT's maps are what its last norm makes of them
    usual = staticmethod(lambda known: known[(len(known) - 1) // 2 :][:2])  # where layers is null

    def open_maps(self, given: Given) -> nn.Module:
        """The backbone up to the last of the layers, on this job's device; the facts say which."""
        model = self.open(given)
        where = f"{self.kind} on {self.facts['backbone']['model']}"
        at = levels(model, self.layers, where, self.usual)
        if self.tile is not None:
            self._in_pieces(given.normal.pixels.shape[1], model, at, where)
        self.facts |= {"levels": at, "map_share": self.how.crop / self.how.resize}
        return prune(model, at, self.normed).to(device())

    def _in_pieces(self, side: int, model: nn.Module, at: list[int], where: str) -> None:
        """The network sees images of this side in pieces; ValueError where it cannot."""
        size = self.facts["backbone"]["size"]
        if self.resize or self.crop:
            raise ValueError(f"{where}: tile takes the place of resize and crop: leave them out")
        if self.facts["backbone"]["model"].startswith(OF_ONE_SIZE) and self.tile != size:
            raise ValueError(f"{where}: tile is {self.tile}, but it takes {size} pixels alone")
        cell = max(model.feature_info[i]["reduction"] for i in at)
        tiles.starts(side, self.tile, cell)
        self.facts["view"] = list(self.how._replace(resize=side, crop=side))
        self.facts["tile"] = [self.tile, cell]

    def taken(self) -> tuple[int, ...]:
        n, channels, *sides = super().taken()
        tile = self.facts.get("tile")
        return (n, channels, tile[0], tile[0]) if tile else (n, channels, *sides)

    def at_a_time(self) -> int:
        """How many images are embedded together."""
        tile = self.facts.get("tile")
        return max(1, BATCH // tiles.count(self.how.crop, tile[0])) if tile else BATCH

    def cut(self, x: Tensor) -> Tensor:
        """The network's input, of images (n, C, S, S): themselves, or their pieces."""
        tile = self.facts.get("tile")
        return tiles.cut(x, tiles.starts(self.how.crop, *tile), tile[0]) if tile else x

    def joined(self, maps: list[Tensor]) -> list[Tensor]:
        """The images' maps float32 (n, C_i, h_i, w_i), of those of what was cut."""
        maps, tile, side = [m.float() for m in maps], self.facts.get("tile"), self.how.crop
        if not tile:
            return maps
        return [tiles.joined(m, tiles.starts(side, *tile), tile[0], side) for m in maps]

    def trunk(self) -> nn.Module:
        """A new one."""
        return prune(self.bare(), self.facts["levels"], self.normed)

    def maps_of(self, model: nn.Module) -> Callable[[np.ndarray], list[Tensor]]:
        """A function from images uint8 (n, H, W, C) to the layers' maps float32 (n, C_i, h_i, w_i)
        on the network's device."""
        on, how, of = next(model.parameters()).device, self.how, self.maps
        kind = dtype(model, on, self.precision)
        quick = for_inference(self.without_norms(model, lambda *given: of(*given)[-1]), kind)

        @torch.inference_mode()
        def maps(pixels: np.ndarray) -> list[Tensor]:
            x = self.cut(view(pixels, how).to(on))  # (n, C, crop, crop)
            with autocast(on, kind):
                found = of(quick, x)
            return self.joined(found)

        return maps

    def maps(self, net: nn.Module, x: Tensor) -> list[Tensor]:
        """The layers' maps (n, C_i, h_i, w_i) of the network's input."""
        return net.forward_intermediates(
            x, indices=self.facts["levels"], norm=self.normed, stop_early=True,
            intermediates_only=True,
        )  # fmt: skip


def levels(
    model: nn.Module,
    names: Sequence[str] | None,
    where: str,
    usual: Callable[[list[str]], list[str]] = OnPatches.usual,
) -> list[int]:
    """The places of feature maps in timm's list of them, rising; ValueError naming `where`.

    `names` are module names, such as layer2 of a ResNet, stages.1 of a ConvNeXt, blocks.5 of a ViT.
    None: what `usual` takes of all names.
    """
    known = [info["module"] for info in getattr(model, "feature_info", [])]
    if not known or not hasattr(model, "forward_intermediates"):
        raise ValueError(
            f"{where}: timm gives no feature maps of {type(model).__name__}; take another backbone,"
            " such as a ResNet, a ConvNeXt or a ViT"
        )
    names = usual(known) if names is None else names
    if not names or (wrong := [name for name in names if name not in known]):
        raise ValueError(
            f"{where}: layers is {list(names)}; the network has {', '.join(known)}: name some of"
            " them as `layers` of the detector's entry" + (f", not {wrong}" if names else "")
        )
    return sorted({known.index(name) for name in names})


def prune(model: nn.Module, at: list[int], normed: bool = False) -> nn.Module:
    """The network without what comes after the last of these levels, in evaluation mode; with its
    last norm if `normed`."""
    model.prune_intermediate_layers(at, prune_norm=not normed, prune_head=True)
    return model.eval()


def grown(maps: list[Tensor]) -> list[Tensor]:
    """The maps (n, C_i, h_i, w_i), coarser ones brought to the grid of the first (bilinear)."""
    grid = maps[0].shape[2:]
    return [
        m if m.shape[2:] == grid else F.interpolate(m, grid, mode="bilinear", align_corners=False)
        for m in maps
    ]


def rows(maps: list[Tensor]) -> Tensor:
    """Patches (n, h, w, D) of the maps (n, C_i, h_i, w_i), end to end on the grid of the first."""
    return torch.cat(grown(maps), 1).movedim(1, -1)  # (n, h, w, D)


def kept(maps_of: Callable[[np.ndarray], list[Tensor]], pixels: np.ndarray) -> Callable:
    """A function from indices (n,) to the maps of these images, for trainings that see each often:
    computed once where all of them fit into KEPT bytes, else whenever they are asked for."""
    first = maps_of(pixels[:1])
    if len(pixels) * sum(m.nbytes for m in first) > KEPT:
        return lambda index: [m.clone() for m in maps_of(pixels[index])]  # for gradients
    every = [torch.empty(len(pixels), *m.shape[1:], device=m.device) for m in first]
    for i in range(0, len(pixels), BATCH):
        for full, part in zip(every, maps_of(pixels[i : i + BATCH]), strict=True):
            full[i : i + BATCH] = part
    return lambda index: [m[torch.from_numpy(index).to(m.device)] for m in every]


def patches(maps: list[Tensor], dimension: int, size: int) -> Tensor:
    """PatchCore's float32 (N, h, w, D) from the maps (N, C_i, h_i, w_i) of some levels; h, w as in
    the first.

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
        y = averaged(flat, dimension).unflatten(2, (h, w))  # (N, D, h, w)
        if (h, w) != grid:
            y = F.interpolate(y, grid, mode="bilinear", align_corners=False)
        pooled.append(y)
    long = torch.cat(pooled, 1)  # (N, levels D, h, w)
    mean = long.unflatten(1, (dimension, len(maps))).mean(2)  # (N, D, h, w)
    return mean.movedim(1, -1)  # (N, h, w, D)


def averaged(flat: Tensor, dimension: int) -> Tensor:
    """(N, L, P) -> (N, D, P): means of D neighbouring parts of the L numbers, as PyTorch's adaptive
    pooling cuts them; in a graph that is exported as a product, which has no index for each P."""
    length, places = flat.shape[1:]
    if not torch.compiler.is_exporting():
        return F.adaptive_avg_pool2d(flat, (dimension, places))
    means = np.zeros((dimension, length), np.float32)
    for d, row in enumerate(means):
        part = slice(d * length // dimension, -(-(d + 1) * length // dimension))
        row[part] = 1 / (part.stop - part.start)
    return torch.from_numpy(means) @ flat
