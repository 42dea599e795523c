"""CSI with labels: images of one class in one rotation are alike; a head says class and rotation.

Tack et al. 2020 ("labelled multi-class"), with the official code. `shifts: none` is its SupCLR,
which UNODE lists as SupSimCLR. Score: `msp`. Of the code's three heads only the one of class and
rotation together is trained: no score reads the others. See also `csi`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nearnd.contracts import Embedding, Progress, silent
from nearnd.detectors._contrastive import BATCH, FromScratch, Projected, check_classes, work_of
from nearnd.detectors._trained import Given, batched
from nearnd.files.header import extended, whole
from nearnd.jobs.training_loop import stages
from nearnd.networks.augment import as_tensor
from nearnd.networks.batches import steps_per_epoch
from nearnd.networks.contrastive import supervised_nt_xent
from nearnd.networks.precision import exact
from nearnd.networks.schedules import tenths
from nearnd.networks.shifts import SHIFTS

NEEDS = ["labels"]
EMBEDS = ["features", "logits"]
RANGES = {"scale": (0.001, 1)}


def work(about, *, depth, width, stem, epochs, head_epochs, batch, shifts, **rest) -> dict:
    """See contracts.py. The head's training is forward alone, of one view."""
    k = len(SHIFTS[shifts])
    how = {"depth": depth, "width": width, "stem": stem, "views": 2 * k, "looks": k}
    return work_of(about, **how, epochs=epochs + head_epochs / 6, batch=batch)


class Joint(Projected):
    """With a linear layer on the features to logits (N, K * classes), shift by shift."""

    def __init__(self, logits: int, *network):
        super().__init__(*network)
        self.joint = nn.Linear(self.features, logits)


@dataclass
class LabelledCSI(FromScratch):
    """The supervised contrastive loss with a label for each class in each shift; then the head's
    cross-entropy on the features, which stay."""

    shifts: Literal["rotation", "permute", "none"] = "rotation"
    epochs: int = 700
    temperature: float = 0.07
    head_epochs: int = 100
    head_lr: float = 0.1  # of SGD without momentum
    head_milestones: Sequence[float] = (0.6, 0.75, 0.9)  # shares of these epochs, after each of
    # which it falls to a tenth

    FACTS = extended(FromScratch.FACTS, classes=whole(2))

    def prepare(self, given: Given) -> None:
        super().prepare(given, classes=check_classes(given, self.kind))

    def learn(self, given: Given) -> None:
        """Trains the network and then, on its features, the head."""
        self.prepare(given)
        net, pixels, labels = self.net, given.normal.pixels, given.normal.labels
        y = torch.from_numpy(np.unique(labels, return_inverse=True)[1])  # (N,)
        per_epoch = steps_per_epoch(len(pixels), self.batch)
        counts = {"views": self.epochs * per_epoch, "head": self.head_epochs * per_epoch}
        first, second = stages(given.folder, given.progress, **counts)
        self.contrast(given, **first)
        run, show = self.in_precision(), self.shower(given, copies=1)
        net.eval()

        def loss(step: int) -> Tensor:
            x, rows = show(step)
            with torch.no_grad():
                h, _ = run(x)
            right = self.both(y[rows].repeat_interleave(self.count())).to(h.device)
            return F.cross_entropy(exact(net.joint, h), right)

        decay, drops = self.weight_decay, [m * counts["head"] for m in self.head_milestones]
        sgd = torch.optim.SGD(net.joint.parameters(), self.head_lr, weight_decay=decay)
        given.train(net.joint, sgd, loss, schedule=tenths(drops, 1, 1), **second)

    def both(self, y: Tensor) -> Tensor:
        """Class and shift as one number: the classes y (N K,) of images, whose shifts follow each
        other, plus the number of classes for each shift."""
        k = torch.arange(self.count(), device=y.device).repeat(len(y) // self.count())
        return y + self.facts["classes"] * k

    def loss(self, h: Tensor, z: Tensor, labels: Tensor) -> Tensor:
        return supervised_nt_xent(z, self.both(labels), self.temperature)

    def untrained(self) -> Joint:
        logits = self.count() * self.facts["classes"]
        return Joint(logits, self.trunk(), self.facts["code"])

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """float32 arrays: "features" (N, D), see `Contrastive`; "logits" (N, classes), for each
        shift those of the classes in this shift, averaged over the shifts."""
        net = self.fitted("embed")
        self.check_size(pixels)
        run, on = self.in_precision(), next(net.parameters()).device

        def of(some: np.ndarray) -> list[Tensor]:
            x = 2 * as_tensor(some).to(on) - 1
            h = [run(shift(x))[0] for shift in SHIFTS[self.facts["shifts"]]]  # K times (n, D)
            parts = [exact(net.joint, one).chunk(len(h), 1)[k] for k, one in enumerate(h)]
            return [F.normalize(h[0]), torch.stack(parts).mean(0)]

        h, logits = batched(of, pixels, progress, BATCH // 4)
        return {"features": h, "logits": logits}


build = LabelledCSI
