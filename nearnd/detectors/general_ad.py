"""GeneralAD: a small transformer tells a frozen network's patches from the same with noise on them.

Sträter et al. (2024), "GeneralAD: Anomaly Detection Across Domains by Attending to Distorted
Features", as in the official code. Left out: fakes whose patches are shuffled or copied by where
the network's class token looks, which the authors use for one of their datasets (MVTec LOCO).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nearnd.contracts import Embedding, Progress, silent
from nearnd.detectors._patches import BATCH, OnPatches, kept, rows
from nearnd.detectors._trained import Given, batched
from nearnd.files.header import extended, several, whole
from nearnd.jobs.device import device
from nearnd.networks.attention_head import PatchHead
from nearnd.networks.batches import batch_rows, steps_per_epoch
from nearnd.networks.schedules import cosine

NEEDS = ["backbone"]
EMBEDS = ["map"]
RANGES = {"noise": (0, 100), "depth": (1, 100)}


def work(about, *, epochs: int, **rest) -> dict:
    """See contracts.py; the head's own cost is not in it."""
    return {"embedded": epochs * about.images}


class Judged(nn.Module):
    """A frozen backbone and a head on its patches."""

    def __init__(self, backbone: nn.Module, head: PatchHead):
        super().__init__()
        self.backbone, self.head = backbone, head


@dataclass
class GeneralAD(OnPatches):
    """The defaults are those of the official jobs; `layers`, null: the last one, after the last
    norm."""

    noise: float = 0.25  # standard deviation, on every number of every patch
    fakes: Literal["all", "some"] = (
        "all"  # noise on all patches of an image, or a third term of the
    )
    # loss too: on a random number of them, the others being normal (MVTec, VisA)
    depth: int = 1  # layers of the head
    heads: int = 4
    hidden: int = 2048
    dropout: float = 0.1
    epochs: int = 160  # 20 where whole images are other things (CIFAR)
    batch: int = 16
    lr: float = 5e-4  # AdamW, along half a wave down to a fifth
    weight_decay: float = 1e-5

    FACTS = extended(OnPatches.FACTS, head=several(whole(), 5, 5))
    normed = True
    usual = staticmethod(lambda known: known[-1:])

    def learn(self, given: Given) -> None:
        """Trains the head on normal images' patches against the same with noise."""
        model, n = self.open_maps(given), len(given.normal)
        maps = kept(self.maps_of(model), given.normal.pixels)
        first = rows(maps(np.arange(1)))  # (1, h, w, D)
        if first.shape[3] % self.heads:
            raise ValueError(
                f"general_ad: {first.shape[3]} features a patch cannot be shared by heads"
                f" {self.heads}: set another number of `heads` in the detector's entry"
            )
        places, width = first[0, ..., 0].numel(), first.shape[3]
        self.facts["head"] = [places, width, self.depth, self.hidden, self.heads]
        torch.manual_seed(given.seed)
        self.net = net = self.untrained(model, self.dropout).to(device())
        steps = self.epochs * steps_per_epoch(n, self.batch)

        def loss(step: int) -> Iterator[Tensor]:
            x = rows(maps(batch_rows(step, n, self.batch, given.seed))).flatten(1, 2)  # (B, P, D)
            yield told(net.head(x), torch.zeros(x.shape[:2]))
            yield told(net.head(x + self.noise * torch.randn(x.shape).to(x.device)),
                       torch.ones(x.shape[:2]))  # fmt: skip
            if self.fakes == "some":
                where = some(*x.shape[:2])  # (B, P)
                noise = self.noise * torch.randn(x.shape) * where[..., None]
                yield told(net.head(x + noise.to(x.device)), where)

        net.head.train()
        optimizer = torch.optim.AdamW(
            net.head.parameters(), self.lr, weight_decay=self.weight_decay
        )
        given.train(net.head, optimizer, loss, steps=steps, schedule=cosine(steps, 0.2))

    def untrained(self, model: nn.Module | None = None, dropout: float = 0.0) -> Judged:
        head = PatchHead(*self.facts["head"], dropout)
        return Judged(self.trunk() if model is None else model, head)

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """{"map": float32 (N, h, w)}: the head's logit of each patch. The authors' score is the
        mean of the ten highest, or of all where whole images are other things."""
        net = self.fitted("embed")
        maps_of = self.maps_of(net.backbone)

        def of(some: np.ndarray) -> list[Tensor]:
            x = rows(maps_of(some))  # (n, h, w, D)
            return [net.head(x.flatten(1, 2)).reshape(x.shape[:3])]  # (n, h, w)

        return {"map": batched(of, pixels, progress, BATCH)[0]}


def told(logits: Tensor, fake: Tensor) -> Tensor:
    """The binary cross-entropy of logits (B, P) against 1 where a patch is fake."""
    return F.binary_cross_entropy_with_logits(logits, fake.to(logits.device))


def some(n: int, places: int) -> Tensor:
    """(n, places) of zeros, and of each image 1 to all ones at random places."""
    count = torch.randint(1, places + 1, (n, 1))
    return (torch.rand(n, places).argsort(1) < count).float()


build = GeneralAD
