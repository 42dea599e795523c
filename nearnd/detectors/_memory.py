"""Patches of normal images kept in a detector, and how far those of other images are from them.

The detector holds its own memory bank instead of leaving its features to a bank: the patches of a
whole image set do not fit on disk (5,000 images x 784 patches x 1,024 floats are 16 GB for one
class of CIFAR-10), while a map of distances is 784 numbers for an image.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from nearnd.contracts import Embedding, Progress, silent
from nearnd.detectors._patches import OnPatches
from nearnd.detectors._trained import Given, Graph, batched
from nearnd.files.header import extended, several, whole
from nearnd.jobs.device import device
from nearnd.networks.coreset import coreset, share_of
from nearnd.networks.nearest import Nearest, nearest
from nearnd.networks.viewed import Viewed

log = logging.getLogger("nearnd")


class Memory(nn.Module):
    """A backbone, and patches (M, D) of normal images."""

    def __init__(self, backbone: nn.Module, bank: Tensor):
        super().__init__()
        self.backbone = backbone
        self.register_buffer("bank", bank)


@dataclass
class OnMemory(OnPatches):
    """A kind adds `rows_of(maps)`, patches float32 (n, h, w, D) of the layers' maps (n, C_i, h_i,
    w_i), and `facts_of_patches`, the names of what it has to know for that. Trains nothing.
    Distances are always float32."""

    tile: int | None = None  # see `_patches.OnPatches`
    share: float = 0.1  # of the patches that are kept
    projection: int | None = 128  # this and `anchors`, of the selection: see networks/coreset.py
    anchors: int = 10
    k: int = 1  # nearest patches whose distances are averaged
    limit: int | None = 320_000  # of more patches (1.3 GB of 1,024 numbers each), as many random
    # ones of each image are used; null: all. It is ours: every category of MVTec AD stays below it
    # at 784 patches an image, of 5,000 images it takes 64 patches each

    FACTS = extended(OnPatches.FACTS, k=whole(most=10**9), bank=several(whole(most=10**9), 2, 2))
    facts_of_patches = ("k",)

    def learn(self, given: Given) -> None:
        """Fills the memory bank with the normal images' patches, or with a coreset of them."""
        model, pixels = self.open_maps(given), given.normal.pixels
        self.facts |= {name: getattr(self, name) for name in self.facts_of_patches}
        rows = self._gather(model, pixels, given)  # (M, D)
        n = share_of(len(rows), self.share)
        log.info(f"memory bank: {n} of {len(rows)} patches")
        if n < len(rows):
            how = {"projection": self.projection, "anchors": self.anchors}
            keep = coreset(rows, n, seed=given.seed, progress=given.progress, **how)
            rows = rows[np.sort(keep)]
        self.facts["bank"] = [*rows.shape]
        self.net = Memory(model, torch.from_numpy(rows).to(device()))  # (n, D)

    def untrained(self) -> Memory:
        return Memory(self.trunk(), torch.zeros(self.facts["bank"]))

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """{"map": float32 (N, h, w)}: of each patch, the squared Euclidean distance to the nearest
        patch of the bank, or its mean over the k nearest. h and w are those of the first layer; the
        map covers the centre crop of the image, whose share of a side is the fact `map_share`."""
        net = self.fitted("embed")
        patches_of, k = self._embedder(net.backbone), min(self.facts["k"], len(net.bank))

        def of(some: np.ndarray) -> list[Tensor]:
            patches = patches_of(some)  # (n, h, w, D)
            squared = nearest(net.bank, patches.flatten(0, 2), k).mean(1)  # (n h w,)
            return [squared.reshape(patches.shape[:3])]  # (n, h, w)

        return {"map": batched(of, pixels, progress, self.at_a_time())[0]}

    def graph(self, side: int) -> nn.Module:
        """See contracts.py."""
        net = self.fitted("graph")
        near = Nearest(net.bank, min(self.facts["k"], len(net.bank)))

        def of(x: Tensor) -> dict[str, Tensor]:
            maps = self.joined(self.maps(net.backbone, self.cut(x)))
            patches = self.rows_of(maps)  # (n, h, w, D)
            squared = near(patches.flatten(0, 2)).mean(1)  # (n h w,)
            return {"map": squared.reshape(patches.shape[:3])}  # (n, h, w)

        return Graph(Viewed(self.how, side), nn.ModuleList([net.backbone, near]), of)

    def _embedder(self, model: nn.Module) -> Callable[[np.ndarray], Tensor]:
        """A function from images uint8 (n, H, W, C) to float32 patches (n, h, w, D)."""
        maps_of = self.maps_of(model)
        return lambda pixels: self.rows_of(maps_of(pixels))

    def _gather(self, model: nn.Module, pixels: np.ndarray, given: Given) -> np.ndarray:
        """The patches of all images float32 (M, D), or as many random ones of each image as keep M
        below the limit."""
        patches_of, limit, rows = self._embedder(model), self.limit, None
        batch = self.at_a_time()
        for i in range(0, len(pixels), batch):
            patches = patches_of(pixels[i : i + batch]).flatten(1, 2)  # (n, h w, D)
            if rows is None:
                places = each = patches.shape[1]
                if limit is not None and len(pixels) * places > limit:
                    each = max(1, limit // len(pixels))
                    log.info(f"{each} of {places} patches of each image, because of the limit")
                rows = np.empty((len(pixels), each, patches.shape[2]), np.float32)  # (N, e, D)
            for j, image in enumerate(patches.cpu().numpy(), start=i):  # (h w, D)
                random = np.random.default_rng([given.seed, j])
                some = random.choice(places, each, replace=False) if each < places else slice(None)
                rows[j] = image[some]
            given.progress(min(i + batch, len(pixels)), len(pixels))
        return rows.reshape(-1, rows.shape[2])  # (M, D)
