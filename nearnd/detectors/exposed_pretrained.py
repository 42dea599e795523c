"""RETH's losses on a pretrained backbone: outlier exposure by fine-tuning.

As `exposed`, with the backbone and a linear layer in place of the small network. RETH itself trains
from scratch only, so the schedule is ours: Adam with a tenth of RETH's learning rate, 30 epochs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from nearnd.detectors._exposed import ExposedBackbone, work  # noqa: F401 (of this kind too)

NEEDS = ["backbone", "outliers"]
EMBEDS = ["features", "logit"]


@dataclass
class ExposedPretrained(ExposedBackbone):
    """RETH's methods from a backbone. Its colour jitter and noise, too small to matter, are left
    out. Batch norms are in training mode while it trains."""

    loss: Literal["bce", "focal", "hsc", "sad"] = "hsc"  # see `exposed`
    radial: Literal["pseudo_huber", "l1", "l2", "squared"] = "pseudo_huber"  # of hsc
    gamma: float = 2.0  # of focal
    code: int = 256  # features; RETH's for ImageNet
    epochs: int = 30  # passes over the normal images
    milestones: Sequence[int] = (20, 25)  # at the same shares as RETH's for ImageNet
    batch: int = 128  # normal images, and as many outliers
    lr: float = 1e-4
    weight_decay: float = 0.5e-6
    shift: int = 0  # training crops are moved by up to so many pixels
    flip: bool = True  # and mirrored half of the time

    def optimizer(self, parameters) -> torch.optim.Optimizer:
        return torch.optim.Adam(parameters, self.lr, weight_decay=self.weight_decay)


build = ExposedPretrained
