"""DeepSAD by its own recipe: DeepSVDD that also drives known anomalies away from the centre (Ruff
et al., "Deep Semi-Supervised Anomaly Detection", 2020).

RETH's DeepSAD is another method of that name: see `exposed` with `loss: sad`. The defaults are the
official code's for CIFAR-10.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nearnd.detectors._deep_svdd import Compact, work  # noqa: F401 (of this kind too)
from nearnd.detectors._trained import Given

NEEDS = ["outliers"]
EMBEDS = ["features", "logit"]
TINY = 1e-6  # the official code's, in the fraction


@dataclass
class DeepSAD(Compact):
    """The score is |z - c|^2.

    Batches are drawn from all images together, so the outliers' share of them is their share of the
    images: the paper has few (`ratio` of the fakes' entry). Images stay as they are in [0, 1]. The
    centre is that of the normal images; the official code takes all, of which few are outliers. The
    autoencoder sees the outliers too.
    """

    eta: float = 1.0  # weight of the outliers
    batch: int = 128

    def images(self, given: Given) -> tuple[np.ndarray, int]:
        reals, others = given.pair("deep_sad")
        return np.concatenate([reals, others]), len(reals)

    def loss(self, d: Tensor, rows: np.ndarray, step: int, normals: int) -> Tensor:
        known = torch.from_numpy(rows >= normals).to(d.device)
        return losses(d, known, self.eta).mean()


def losses(d: Tensor, known: Tensor, eta: float) -> Tensor:
    """The loss of each image (N,) from its squared distance d (N,): eta / (d + 1e-6) where it is a
    `known` anomaly, bool (N,)."""
    return torch.where(known, eta / (d + TINY), d)


build = DeepSAD
