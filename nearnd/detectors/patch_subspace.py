"""Patch features outside the subspace of normal ones: the residual of a PCA.

Lendering et al. (2026), "Training-Free Few-Shot Anomaly Detection via Subspace Modeling"
(SubspaceAD), section 3, on any network with feature maps. Theirs is a DINOv2 with 1.1 billion
weights at 672 pixels, of which seven layers are averaged (`merge: mean`), and few images, which
they turn (not done here). Where nothing is said the layers are laid end to end, as those of a CNN
differ in width, and each is scaled to the same total variance over normal patches, so that none of
them is most of the distance by its units alone.
"""

import logging
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from nearnd.contracts import Embedding, Progress, silent
from nearnd.detectors._patches import OnPatches, grown, rows
from nearnd.detectors._trained import Given, Graph, batched
from nearnd.files.header import extended, one_of, several, whole
from nearnd.networks.one_thread import one_thread
from nearnd.networks.tiles import count
from nearnd.networks.viewed import Viewed

NEEDS = ["backbone"]
EMBEDS = ["map"]
RANGES = {"variance": (0, 1)}
log = logging.getLogger("nearnd")


def work(about, *, tile: int | None, **rest) -> dict:
    """See contracts.py."""
    return {"embedded": about.images * count(about.side, tile)}


class Outside(nn.Module):
    """A backbone, the mean (D,) of normal patches and directions (D, K) in which they hardly vary,
    each row scaled as its layer."""

    def __init__(self, backbone: nn.Module, mean: Tensor, directions: Tensor):
        super().__init__()
        self.backbone = backbone
        self.register_buffer("mean", mean)
        self.register_buffer("directions", directions)

    def residual(self, x: Tensor) -> Tensor:
        """Squared lengths (...) of the parts of patches (..., D) outside the normal subspace."""
        return ((x - self.mean) @ self.directions).square().sum(-1)


class Moments:
    """The mean and the covariance of rows (N, D) that come in parts, in float64: memory is D x D,
    however many there are."""

    def __init__(self):
        self.n, self.at = 0, None

    def add(self, rows: Tensor) -> None:
        x = rows.double()
        if self.at is None:  # near the mean, so that nothing cancels
            self.at = x.mean(0)
            self.sum, self.products = torch.zeros_like(self.at), x.new_zeros(x.shape[1], x.shape[1])
        x = x - self.at
        self.n += len(x)
        self.sum += x.sum(0)
        with one_thread():
            self.products += x.T @ x

    def mean(self) -> Tensor:
        return self.at + self.sum / self.n  # (D,)

    def covariance(self) -> Tensor:
        off = self.sum / self.n
        return self.products / self.n - torch.outer(off, off)  # (D, D)


def outside(covariance: Tensor, widths: list[int] | None, variance: float) -> Tensor:
    """The directions (D, K), K >= 1, beside the leading ones that hold this share of the variance
    of patches whose layers, of these widths, are each scaled to a total variance of 1; of patches
    as they are where there are no widths."""
    scale = torch.ones_like(covariance[0])
    if widths:
        each = torch.stack([part.sum() for part in covariance.diagonal().split(widths)])
        each = torch.where(each > 0, each, 1)  # a layer that is the same everywhere
        scale = each.rsqrt().repeat_interleave(torch.tensor(widths, device=each.device))  # (D,)
    values, vectors = torch.linalg.eigh(scale[:, None] * covariance * scale)  # rising
    beside = values.clamp(min=0).cumsum(0) <= (1 - variance) * values.clamp(min=0).sum()  # (D,)
    beside[0] = True
    return scale[:, None] * vectors[:, beside]  # (D, K)


@dataclass
class PatchSubspace(OnPatches):
    """Trains nothing, but keeps in which directions patches of normal images hardly vary."""

    variance: float = 0.99  # the share of it that the leading directions hold, which are left out
    merge: Literal["end_to_end", "mean"] = "end_to_end"  # layers of a patch; the paper: mean
    tile: int | None = None  # see `_patches.OnPatches`

    FACTS = extended(
        OnPatches.FACTS, directions=several(whole(), 2, 2), merge=one_of("end_to_end", "mean")
    )

    def learn(self, given: Given) -> None:
        """Finds the subspace of all patches of the normal images."""
        model, pixels = self.open_maps(given), given.normal.pixels
        self.facts["merge"] = self.merge
        maps_of, moments = self.maps_of(model), Moments()
        batch = self.at_a_time()
        for i in range(0, len(pixels), batch):
            maps = maps_of(pixels[i : i + batch])
            moments.add(self.patches(maps).flatten(0, 2))
            given.progress(min(i + batch, len(pixels)), len(pixels))
        widths = None if self.merge == "mean" else [m.shape[1] for m in maps]
        directions = outside(moments.covariance(), widths, self.variance)
        d, k = self.facts["directions"] = list(directions.shape)
        log.info(f"{self.variance:.2%} of the variance is in {d - k} of {d} directions")
        self.net = Outside(model, moments.mean().float(), directions.float())

    def untrained(self) -> Outside:
        d, k = self.facts["directions"]
        return Outside(self.trunk(), torch.zeros(d), torch.zeros(d, k))

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """{"map": float32 (N, h, w)}: of each patch, the squared length of what is outside of the
        subspace. h and w are those of the first layer; the map covers the centre crop of the image,
        whose share of a side is the fact `map_share`."""
        net = self.fitted("embed")
        maps_of = self.maps_of(net.backbone)

        def of(some: np.ndarray) -> list[Tensor]:
            return [net.residual(self.patches(maps_of(some)))]  # (n, h, w)

        return {"map": batched(of, pixels, progress, self.at_a_time())[0]}

    def graph(self, side: int) -> nn.Module:
        """See contracts.py."""
        net = self.fitted("graph")

        def of(x: Tensor) -> dict[str, Tensor]:
            maps = self.joined(self.maps(net.backbone, self.cut(x)))
            return {"map": net.residual(self.patches(maps))}  # (n, h, w)

        return Graph(Viewed(self.how, side), net, of)

    def patches(self, maps: list[Tensor]) -> Tensor:
        """Patches (n, h, w, D) of maps (n, C_i, h_i, w_i); ValueError for a mean of layers of
        different widths."""
        if self.facts["merge"] == "end_to_end":
            return rows(maps)
        if len(widths := {m.shape[1] for m in maps}) > 1:
            raise ValueError(
                f"patch_subspace: the layers are {sorted(widths)} wide, of which there is no mean:"
                " set `merge: end_to_end` in the detector's entry, or name `layers` of one width"
            )
        return torch.stack(grown(maps)).mean(0).movedim(1, -1)  # (n, h, w, D)


build = PatchSubspace
