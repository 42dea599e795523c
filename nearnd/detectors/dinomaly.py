"""Dinomaly: a transformer gives back the maps of a frozen one, through a bottleneck with dropout
and attention that cannot copy single places.

Guo et al. (2025), "Dinomaly: The Less Is More Philosophy in Multi-Class Unsupervised Anomaly
Detection", as in the official code. Deviations: class and register tokens are left out (a switch of
that code), AdamW in place of StableAdamW, and one class is normal in a task where theirs is one
model for all.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from nearnd.contracts import Embedding, Progress, silent
from nearnd.detectors._cosine import apart, hard_cosine
from nearnd.detectors._patches import BATCH, OnPatches, grown, kept
from nearnd.detectors._trained import Given, batched
from nearnd.files.header import extended, several, whole
from nearnd.jobs.device import device
from nearnd.networks.batches import batch_rows
from nearnd.networks.linear_attention import Decoder
from nearnd.networks.schedules import cosine, warmed

NEEDS = ["backbone"]
EMBEDS = ["map"]
WARM, RISE = 100, 1000  # steps in which the learning rate, and the share that is left alone, rise


def work(about, *, iterations: int, batch: int, **rest) -> dict:
    """See contracts.py; the decoder's own cost is not in it."""
    return {"embedded": iterations * batch}


class Returned(nn.Module):
    """A frozen backbone, and a decoder for the mean of its layers."""

    def __init__(self, backbone: nn.Module, decoder: Decoder):
        super().__init__()
        self.backbone, self.decoder = backbone, decoder

    def forward(self, maps: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """Of the layers' maps (n, C, h, w), two pairs: the mean of the first half of them and what
        is given back of it, by the last half of the decoder; and of the second half."""
        maps = grown(maps)
        grid, half = maps[0].shape[2:], max(1, len(maps) // 2)
        tokens = self.decoder(mean(maps).flatten(2).mT)  # each (n, h w, C)
        back = [x.mT.unflatten(2, grid) for x in tokens]
        parts = [slice(half), slice(half, None)] if len(maps) > 1 else [slice(None)]
        return [(mean(maps[part]), mean(back[part])) for part in parts]


@dataclass
class Dinomaly(OnPatches):
    """The defaults are those of the official code for one category of MVTec; `layers`, null: eight
    in the middle, of a ViT-B the third to the tenth of twelve."""

    iterations: int = 5000
    batch: int = 16
    lr: float = 2e-3  # AdamW, along half a wave down to a tenth
    weight_decay: float = 1e-4
    heads: int | None = None  # of the decoder; null: one for 64 numbers, as a ViT has them
    dropout: float = 0.2  # VisA the same, Real-IAD 0.4
    easy: float = 0.9  # share of places whose gradient is a tenth

    FACTS = extended(OnPatches.FACTS, decoder=several(whole(), 3, 3))
    usual = staticmethod(lambda known: known[2:10] or known)

    def learn(self, given: Given) -> None:
        """Trains the decoder on normal images, without augmentation."""
        model, n = self.open_maps(given), len(given.normal)
        maps = kept(self.maps_of(model), given.normal.pixels)
        widths = [m.shape[1] for m in maps(np.arange(1))]
        heads = self.heads or max(1, widths[0] // 64)
        if len(set(widths)) > 1 or widths[0] % heads:
            raise ValueError(
                f"dinomaly: the layers are {widths} wide, heads is {heads}: name `layers` of one"
                " width, and `heads` that divide it, in the detector's entry"
            )
        self.facts["decoder"] = [widths[0], len(widths), heads]
        torch.manual_seed(given.seed)
        self.net = net = self.untrained(model, self.dropout).to(device())
        net.decoder.train()
        rise = min(RISE, self.iterations)

        def loss(step: int) -> Tensor:
            share = self.easy * min(1.0, step / rise)
            pairs = net(maps(batch_rows(step, n, self.batch, given.seed)))
            far = [hard_cosine(a, b, lambda away: above(away, share), 0.1) for a, b in pairs]
            return sum(far) / len(far)

        optimizer = torch.optim.AdamW(
            net.decoder.parameters(), self.lr, weight_decay=self.weight_decay, amsgrad=True
        )
        warm = min(WARM, self.iterations // 2)
        schedule = warmed(warm, cosine(self.iterations - warm, 0.1), 0.0)
        how = {"steps": self.iterations, "schedule": schedule, "clip": 0.1}
        given.train(net.decoder, optimizer, loss, **how)

    def untrained(self, model: nn.Module | None = None, dropout: float = 0.0) -> Returned:
        decoder = Decoder(*self.facts["decoder"], dropout)
        return Returned(self.trunk() if model is None else model, decoder)

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """{"map": float32 (N, h, w)}: 1 - cos at each place, mean over both halves. The authors'
        score is the mean of the highest hundredth of the blurred map."""
        net = self.fitted("embed")
        maps_of = self.maps_of(net.backbone)

        def of(some: np.ndarray) -> list[Tensor]:
            return [mean([apart(a, b) for a, b in net(maps_of(some))])]  # (n, h, w)

        return {"map": batched(of, pixels, progress, BATCH)[0]}


def mean(maps: list[Tensor]) -> Tensor:
    return torch.stack(maps).mean(0)


def above(away: Tensor, share: float) -> Tensor:
    """The smallest of the (1 - share) highest values."""
    return away.flatten().topk(max(1, int(away.numel() * (1 - share)))).values[-1]


build = Dinomaly
