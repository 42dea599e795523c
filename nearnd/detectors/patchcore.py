"""PatchCore: how far each patch of an image is from the patches of normal images.

Roth et al. (2022), "Towards Total Recall in Industrial Anomaly Detection", with the embedding of
their official code. As there, and unlike the paper, the highest distance is not weighted by how
dense the bank is around its patch.
"""

from dataclasses import dataclass

from torch import Tensor

from nearnd.detectors._memory import OnMemory
from nearnd.detectors._patches import patches
from nearnd.files.header import extended, whole
from nearnd.networks.tiles import count

NEEDS = ["backbone"]
EMBEDS = ["map"]


def work(about, *, tile: int | None, **rest) -> dict:
    """See contracts.py."""
    return {"embedded": about.images * count(about.side, tile)}


@dataclass
class PatchCore(OnMemory):
    """Trains nothing, but keeps patches of the normal images; the defaults are those of the
    official code for WideResNet-50 at 224 pixels (`share`; for other networks 0.01)."""

    neighbourhood: int = 3  # the odd side of a patch
    dimension: int = 1024  # numbers of a patch

    FACTS = extended(OnMemory.FACTS, dimension=whole(), neighbourhood=whole(most=99))
    facts_of_patches = ("dimension", "neighbourhood", "k")

    def __post_init__(self):
        if self.neighbourhood % 2 == 0:
            raise ValueError(
                f"patchcore: neighbourhood is {self.neighbourhood}, it must be an odd number"
            )

    def rows_of(self, maps: list[Tensor]) -> Tensor:
        return patches(maps, self.facts["dimension"], self.facts["neighbourhood"])  # (n, h, w, D)


build = PatchCore
