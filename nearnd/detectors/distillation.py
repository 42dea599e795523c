"""Multiresolution distillation: a new network learns a pretrained one's maps on normal images.

Salehi et al. (2021), "Multiresolution Knowledge Distillation for Anomaly Detection", loss and score
as in the official code. Theirs is a VGG-16, its last layer before each of the last four poolings,
and a student that is narrower between them; here teacher and student are of one build, which they
offer too (`equal_network_size`), on any network with maps. Deviations: the last step is taken (they
print the test AUROC every tenth epoch), and the map is 1 - cos at each place, where they go back
to the pixels by gradients.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nearnd.contracts import Embedding, Progress, silent
from nearnd.detectors._patches import BATCH, OnPatches, grown
from nearnd.detectors._trained import Given, batched
from nearnd.files.header import extended, number
from nearnd.jobs.device import device
from nearnd.networks.batches import batch_rows, steps_per_epoch
from nearnd.networks.transform import view

NEEDS = ["backbone"]
EMBEDS = ["map", "logit"]
TESTED = 3  # deepest layers that score; the others are learnt alone


def work(about, *, epochs: int, batch: int, **rest) -> dict:
    """See contracts.py."""
    return {"shown": epochs * about.images, "batch": batch, "passes": 4}


class Pair(nn.Module):
    """A frozen teacher and a student of the same build."""

    def __init__(self, teacher: nn.Module, student: nn.Module, levels: list[int]):
        super().__init__()
        self.teacher, self.student, self.levels = teacher, student, levels

    def forward(self, x: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Maps (n, C, h, w) of the teacher and of the student, a pair for each layer."""
        how = {"indices": self.levels, "stop_early": True, "intermediates_only": True}
        with torch.no_grad():
            taught = self.teacher.forward_intermediates(x, **how)
        return list(zip(taught, self.student.forward_intermediates(x, **how), strict=True))


@dataclass
class Distillation(OnPatches):
    """The defaults are those of the official code for CIFAR-10; `layers`, null: the last four."""

    weight: float = 0.01  # of the squared error beside 1 - cos; MVTec: 0.5
    epochs: int = 201  # MNIST 51, MVTec 601
    batch: int = 64
    lr: float = 1e-3  # Adam

    FACTS = extended(OnPatches.FACTS, weight=number(0, 1e6))
    usual = staticmethod(lambda known: known[-4:])

    def learn(self, given: Given) -> None:
        """Trains the student on normal images, without augmentation."""
        model, pixels, how = self.open_maps(given), given.normal.pixels, self.how
        self.facts["weight"] = self.weight
        torch.manual_seed(given.seed)
        self.net = pair = self.untrained(model).to(device())
        pair.student.train()
        run = self.in_precision(pair)

        def loss(step: int) -> Tensor:
            rows = batch_rows(step, len(pixels), self.batch, given.seed)
            maps = run(view(pixels[rows], how))
            return sum(differ(a, b, self.weight).mean() for a, b in maps)

        optimizer = torch.optim.Adam(pair.student.parameters(), self.lr)
        steps = self.epochs * steps_per_epoch(len(pixels), self.batch)
        given.train(pair.student, optimizer, loss, steps=steps)

    def untrained(self, model: nn.Module | None = None) -> Pair:
        teacher = self.trunk() if model is None else model
        return Pair(teacher, self.trunk(), self.facts["levels"])

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """{"map": float32 (N, h, w): the mean over the layers of 1 - cos at each place, on the grid
        of the first; "logit": float32 (N,): the authors' score, the loss on the last three}."""
        pair, how = self.fitted("embed"), self.how
        run = self.in_precision(pair)

        def of(some: np.ndarray) -> tuple[Tensor, Tensor]:
            maps = [(a.float(), b.float()) for a, b in run(view(some, how))]
            away = [1 - F.cosine_similarity(a, b)[:, None] for a, b in maps]  # (n, 1, h_i, w_i)
            total = sum(differ(a, b, self.facts["weight"]) for a, b in maps[-TESTED:])
            return torch.cat(grown(away), 1).mean(1), total

        maps, logit = batched(of, pixels, progress, BATCH)
        return {"map": maps, "logit": logit}


def differ(taught: Tensor, learnt: Tensor, weight: float) -> Tensor:
    """1 - cos of whole maps (n, C, h, w), and `weight` times their mean squared difference (n,)."""
    a, b = taught.flatten(1).float(), learnt.flatten(1).float()
    return 1 - F.cosine_similarity(a, b) + weight * (a - b).square().mean(1)


build = Distillation
