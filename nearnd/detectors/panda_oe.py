"""PANDA with outlier exposure: one logit on a backbone, normal images against outliers.

The variant of `panda` for when images of something else are at hand (80 Million Tiny Images in the
paper, withdrawn since). The paper's score is the logit. The defaults are those of the authors'
code.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from nearnd.contracts import Embedding, Progress, silent
from nearnd.detectors._trained import Given
from nearnd.detectors._tuned import Tuned
from nearnd.files.header import extended, whole
from nearnd.jobs.device import device
from nearnd.networks.batches import batch_rows, steps_per_epoch
from nearnd.networks.transform import view

NEEDS = ["backbone", "outliers"]
EMBEDS = ["features", "logit"]


def work(about, *, epochs: int, batch: int, freeze, **rest) -> dict:
    """See contracts.py."""
    saved = freeze if isinstance(freeze, float | int) else 0  # of names it is not known
    shown = epochs * (about.images + about.outliers)
    return {"shown": shown, "batch": batch, "passes": 3 - saved}


@dataclass
class PandaOE(Tuned):
    """Binary cross-entropy between normal images and outliers."""

    epochs: int = 50  # of the normal images
    lr: float = 1e-1
    momentum: float = 0.9
    weight_decay: float = 0.0
    clip: float = 1e-3  # of the global gradient norm
    batch: int = 32  # normal images, and as many outliers

    FACTS = extended(Tuned.FACTS, classes=whole(1, 1))

    def learn(self, given: Given) -> None:
        """Trains on batches of half normal images (label 0), half outliers (label 1)."""
        normals, outliers, batch = given.normal.pixels, given.outliers, self.batch
        if outliers is None or not len(outliers):
            raise ValueError("panda_oe needs outliers: set `outliers` in the detector's entry")
        model, how = self.open(given), self.how
        self.facts["classes"] = 1
        torch.manual_seed(given.seed)
        self.net = net = self.untrained(model).to(device())
        run = self.in_precision(net)
        y = torch.cat([torch.zeros(batch), torch.ones(batch)]).to(device())

        def loss(step: int) -> Tensor:
            real = normals[batch_rows(step, len(normals), batch, given.seed)]
            other = outliers[batch_rows(step, len(outliers), batch, given.seed + 1)]
            x = torch.cat([view(real, how), view(other, how)])  # (2B, C, H, W)
            return F.binary_cross_entropy_with_logits(run(x)[:, 0].float(), y)

        self.descend(given, net, loss, self.epochs * steps_per_epoch(len(normals), batch))

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """{"features": float32 (N, D), "logit": float32 (N,)}: the logit is high for outliers."""
        net = self.fitted("embed")
        h = self.features_of(net.backbone, pixels, progress)  # (N, D)
        w, b = (p.detach().cpu().numpy() for p in (net.head.weight, net.head.bias))
        return {"features": h, "logit": h @ w[0] + b[0]}  # (N, D), (N,)


build = PandaOE
