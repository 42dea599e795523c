"""A classifier that has seen outliers: it is to be unsure of them, or to have no energy for them.

"oe": Hendrycks et al., "Deep Anomaly Detection with Outlier Exposure", ICLR 2019: cross-entropy
from the uniform law to the softmax of outliers. "bounds": Liu et al., "Energy-based
Out-of-distribution Detection", NeurIPS 2020: the free energy of normal images below one bound, that
of outliers above another. Both fine-tune the trained classifier; settings are those of the released
codes, which draw the outliers from 80 Million Tiny Images, a set that was withdrawn. `epochs: 0,
tune_epochs: 100, tune_lr: 0.1` is the training from scratch of the former.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from nearnd.detectors._exposed import outlier_rows
from nearnd.detectors._trained import Given
from nearnd.detectors.classifier import LabelledClassifier
from nearnd.detectors.classifier import work as plain
from nearnd.jobs.device import device
from nearnd.jobs.training_loop import stages
from nearnd.networks.batches import batch_rows, steps_per_epoch
from nearnd.networks.transform import view

NEEDS = ["labels", "outliers"]
EMBEDS = ["features", "logits", "odin", "react"]
PREDICTS = "logits"
RANGES = {
    "percentile": (0, 100), "m_in": (-1e6, 1e6), "m_out": (-1e6, 1e6),
    "outlier_batch": (1, 1_000_000),
}  # fmt: skip
WEIGHT = {"oe": 0.5, "bounds": 0.1}


def work(about, *, epochs: int, tune_epochs: int, batch: int, outlier_batch: int, **rest) -> dict:
    """See contracts.py. An epoch of fine-tuning shows so many outliers beside each batch."""
    both = epochs + tune_epochs * (1 + outlier_batch / batch)
    return plain(about, epochs=both, batch=batch, **rest)


def from_uniform(f: Tensor) -> Tensor:
    """Cross-entropy from the uniform law to the softmax of the logits f (N, K), (N,)."""
    return torch.logsumexp(f, dim=1) - f.mean(dim=1)


def energy(f: Tensor) -> Tensor:
    """Free energy of the logits f (N, K) at temperature 1, (N,)."""
    return -torch.logsumexp(f, dim=1)


@dataclass
class Exposed(LabelledClassifier):
    """A `classifier`, then fine-tuned on normal images beside outliers."""

    loss: Literal["oe", "bounds"] = "oe"
    tune_epochs: int = 10  # passes over the normal images
    tune_lr: float = 0.001
    outlier_batch: int = 256  # beside `batch` normal images
    weight: float | None = None  # of the outliers' part; null: 0.5 (oe), 0.1 (bounds)
    m_in: float = -23.0  # of bounds: CIFAR-10's bounds; -27 and -5 for CIFAR-100
    m_out: float = -5.0

    def __post_init__(self):
        super().__post_init__()
        if self.loss == "bounds" and self.m_in > self.m_out:
            raise ValueError(
                f"{self.kind}: m_in is {self.m_in}, above m_out {self.m_out}; normal images are to"
                " have the lower energy"
            )

    def learn(self, given: Given) -> None:
        """Both trainings. ValueError without outliers of the images' size, or with one class."""
        given.pair(self.kind)
        labels = self.prepare(given)
        epoch = steps_per_epoch(len(labels), self.batch)
        counts = {"plain": self.epochs * epoch, "exposed": self.tune_epochs * epoch}
        first, second = stages(given.folder, given.progress, **counts)
        self.classify(given, labels, **first)
        self.expose(given, labels, **second)
        self.measure(given, labels)

    def expose(self, given: Given, labels: np.ndarray, **stage) -> None:
        """Fine-tunes the network; both parts of a batch go through it together."""
        pixels, others = given.normal.pixels, given.outliers
        run, how, n = self.in_precision(self.net), self.how, len(pixels)

        def loss(step: int) -> Tensor:
            rows = batch_rows(step, n, self.batch, given.seed)
            out = outlier_rows(step, len(others), self.outlier_batch, given.seed)
            x = np.concatenate([pixels[rows], others[out]])
            f = run(view(x, how, random=True)).float()  # (batch + outlier_batch, K)
            known, unknown = f[: len(rows)], f[len(rows) :]
            y = torch.from_numpy(labels[rows]).to(device())
            return F.cross_entropy(known, y) + self.penalty(known, unknown)

        self.descend(given, loss, self.tune_lr, **stage)

    def penalty(self, known: Tensor, unknown: Tensor) -> Tensor:
        """What is added to the cross-entropy, from logits (n, K) of normal images and (m, K) of
        outliers."""
        weight = WEIGHT[self.loss] if self.weight is None else self.weight
        if self.loss == "oe":
            return weight * from_uniform(unknown).mean()
        high = F.relu(energy(known) - self.m_in).square().mean()
        low = F.relu(self.m_out - energy(unknown)).square().mean()
        return weight * (high + low)


build = Exposed
