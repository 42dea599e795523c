"""Supervised contrastive features (SupCon, Khosla et al. 2020), in which images of one class are
alike: SSD with labels, the paper's SSD+. The recipe is that of `simclr`.
"""

from dataclasses import dataclass

from torch import Tensor

from nearnd.detectors._contrastive import check_classes
from nearnd.detectors._trained import Given
from nearnd.detectors.simclr import BASE, SimCLR, work  # noqa: F401 (of this kind too)
from nearnd.networks.contrastive import supervised_nt_xent

NEEDS = ["labels"]
EMBEDS = ["features"]
RANGES = {"scale": (0.001, 1)}


@dataclass
class Labelled(SimCLR):
    """Views of all images of a class are each other's positives."""

    def prepare(self, given: Given) -> None:
        check_classes(given, self.kind)
        super().prepare(given)

    def loss(self, h: Tensor, z: Tensor, labels: Tensor) -> Tensor:
        return self.temperature / BASE * supervised_nt_xent(z, labels, self.temperature)


build = Labelled
