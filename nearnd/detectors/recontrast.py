"""ReContrast: a trained and a frozen encoder, and a decoder that has to give back the maps of each
from those of the other.

Guo et al. (2023), "ReContrast: Domain-Specific Anomaly Detection via Contrastive Reconstruction",
as in the official code. No gradient reaches an encoder through the maps that are to be given back,
so that it cannot make them easy. Deviations: the last step is taken (that code prints the best one
by test AUROC too), and the trained encoder's batch norms follow the batches in all tasks or in none
(that code has a list of MVTec's categories).
"""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from nearnd.contracts import Embedding, Progress, silent
from nearnd.detectors._cosine import apart, hard_cosine
from nearnd.detectors._patches import BATCH, OnPatches, grown
from nearnd.detectors._trained import Given, batched
from nearnd.files.header import extended, several, whole
from nearnd.jobs.device import device
from nearnd.networks.batches import batch_rows
from nearnd.networks.reverse import Reverse
from nearnd.networks.transform import view

NEEDS = ["backbone"]
EMBEDS = ["map"]
RANGES = {"squeeze": (1, 64)}


def work(about, *, iterations: int, batch: int, **rest) -> dict:
    """See contracts.py."""
    return {"shown": iterations * batch, "batch": batch, "passes": 8}  # two encoders, two decodings


class Contrast(nn.Module):
    """Two encoders of one build, and the network that goes back."""

    def __init__(self, encoder: nn.Module, frozen: nn.Module, reverse: Reverse, levels: list[int]):
        super().__init__()
        self.encoder, self.frozen, self.reverse, self.levels = encoder, frozen, reverse, levels

    def forward(self, x: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Pairs of maps: what is to be given back, and what is made of the other encoder's."""
        own = self._maps(self.encoder, x)
        with torch.no_grad():
            fixed = self._maps(self.frozen, x)
        first, second = self.reverse([torch.cat(pair) for pair in zip(own, fixed, strict=True)])
        n = len(x)  # of the first half of the batch, the trained encoder's, the first ones count
        pairs = [(a, b[:n]) for a, b in zip(fixed, first, strict=True)]
        return pairs + [(a, b[n:]) for a, b in zip(own, second, strict=True)]

    def _maps(self, encoder: nn.Module, x: Tensor) -> list[Tensor]:
        return encoder.forward_intermediates(
            x, indices=self.levels, stop_early=True, intermediates_only=True
        )


@dataclass
class ReContrast(OnPatches):
    """The defaults are those of the official code for WideResNet-50 at 256 pixels; `layers`, null:
    three of them, of a ResNet layer1 to layer3."""

    iterations: int = 2000
    batch: int = 16
    lr: float = 2e-3  # of bottleneck and decoder; AdamW
    encoder_lr: float = 1e-5
    weight_decay: float = 1e-5
    follow: bool = True  # the trained encoder's batch norms follow the batches
    depths: tuple[int, ...] = (3, 4, 6)  # blocks of the decoder for each layer, deep to shallow
    squeeze: int = 2  # channels of a block over those inside it; ResNet-50: 4

    FACTS = extended(
        OnPatches.FACTS, widths=several(whole()), sides=several(whole()),
        depths=several(whole(most=100)), squeeze=whole(most=64),
    )  # fmt: skip
    usual = staticmethod(lambda known: known[-4:-1] or known)

    def learn(self, given: Given) -> None:
        """Trains on normal images, without augmentation."""
        model, pixels, how = self.open_maps(given), given.normal.pixels, self.how
        maps = self.maps_of(model)(pixels[:1])
        if len(maps) > len(self.depths):
            raise ValueError(
                f"recontrast: there are {len(maps)} layers, but depths is {self.depths}: give one"
                " number for each of the `layers` in the detector's entry"
            )
        self.facts |= {"widths": [m.shape[1] for m in maps], "sides": [m.shape[2] for m in maps]}
        if maps[-1].shape[2] <= 2 and not any((one != pixels[0]).any() for one in pixels[1:]):
            raise ValueError(  # batch norms of one value have no gradient
                f"recontrast: the {len(pixels)} normal images are all the same, and the deepest of"
                f" the layers is {maps[-1].shape[2]} pixels wide, so there is nothing to learn:"
                " more and different images, or larger ones, are needed"
            )
        self.facts |= {"depths": list(self.depths[: len(maps)]), "squeeze": self.squeeze}
        torch.manual_seed(given.seed)
        self.net = net = self.untrained(model).to(device())
        net.train()
        net.frozen.eval()
        net.encoder.train(self.follow)
        run = self.in_precision(net)
        rise = max(1, self.iterations // 10)

        def loss(step: int) -> Tensor:
            rows = batch_rows(step, len(pixels), self.batch, given.seed)
            pairs = run(view(pixels[rows], how))
            alpha = min(-3 + 4 * step / rise, 1.0)

            def limit(away: Tensor) -> Tensor:
                return away.mean() + alpha * away.std()

            return sum(hard_cosine(a.float(), b.float(), limit) for a, b in pairs) / 2

        parts = [{"params": [*net.reverse.parameters()]},
                 {"params": [*net.encoder.parameters()], "lr": self.encoder_lr}]  # fmt: skip
        net.frozen.requires_grad_(False)
        optimizer = torch.optim.AdamW(parts, self.lr, weight_decay=self.weight_decay)
        given.train(net, optimizer, loss, steps=self.iterations)

    def untrained(self, model: nn.Module | None = None) -> Contrast:
        facts, model = self.facts, self.trunk() if model is None else model
        reverse = Reverse(facts["widths"], facts["sides"], facts["depths"], facts["squeeze"])
        return Contrast(copy.deepcopy(model), model, reverse, facts["levels"])

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """{"map": float32 (N, h, w)}: 1 - cos at each place, mean over the three layers of both
        encoders, on the grid of the first layer. The authors' score is the highest of the blurred
        map."""
        net, how = self.fitted("embed"), self.how
        run = self.in_precision(net)

        def of(some: np.ndarray) -> list[Tensor]:
            away = [apart(a.float(), b.float())[:, None] for a, b in run(view(some, how))]
            return [torch.cat(grown(away), 1).mean(1)]  # (n, h, w)

        return {"map": batched(of, pixels, progress, BATCH)[0]}


build = ReContrast
