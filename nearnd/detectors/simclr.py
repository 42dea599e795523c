"""SimCLR with SSD's recipe: features in which SSD measures Mahalanobis distances.

Sehwag et al., "SSD", ICLR 2021, with its official code, for CIFAR-10. Known differences: the rate
rises within `epochs`, from a tenth (theirs in 10 epochs before, from a fiftieth), and see
`networks/views.py`. Scores: `ssd`, or `gaussian` for no more images than features.
"""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from nearnd.detectors._contrastive import FromScratch, work_of
from nearnd.networks.contrastive import nt_xent

NEEDS = []
EMBEDS = ["features"]
RANGES = {"scale": (0.001, 1)}
BASE = 0.07  # SSD's loss is t / BASE times the usual one, which speeds SGD up


def work(about, *, depth, width, stem, epochs, batch, **rest) -> dict:
    """See contracts.py."""
    how = {"depth": depth, "width": width, "stem": stem, "views": 2, "looks": 1}
    return work_of(about, **how, epochs=epochs, batch=batch)


@dataclass
class SimCLR(FromScratch):
    """NT-Xent of two views of each image."""

    depth: Literal[10, 18, 34, 50] = 50
    epochs: int = 500
    batch: int = 512
    optimizer: Literal["lars", "sgd", "adamw"] = "sgd"
    lr: float = 0.5
    weight_decay: float = 1e-4
    scale: tuple[float, float] = (0.2, 1.0)

    def loss(self, h: Tensor, z: Tensor, labels: Tensor) -> Tensor:
        return self.temperature / BASE * nt_xent(z, self.temperature)


build = SimCLR
