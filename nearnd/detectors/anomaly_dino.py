"""AnomalyDINO: how far each patch token of a ViT points away from those of normal images.

Damm et al. (2025), "AnomalyDINO: Boosting Patch-based Few-shot Anomaly Detection with DINOv2", as
in the official code: the tokens of the last block after the last norm, by the cosine distance. Its
score of an image is the mean of the highest hundredth (`kind: highest, share: 0.01`). Two steps of
it are left out, which the authors switch on by the kind of object: turned copies of few normal
images, and the mask of the background by a first principal component. With another network than a
ViT it is the last map of that.
"""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from nearnd.contracts import Embedding
from nearnd.detectors._memory import OnMemory
from nearnd.detectors._patches import rows
from nearnd.networks.tiles import count

NEEDS = ["backbone"]
EMBEDS = ["map"]


def work(about, *, tile: int | None, **rest) -> dict:
    """See contracts.py."""
    return {"embedded": about.images * count(about.side, tile)}


@dataclass
class AnomalyDINO(OnMemory):
    """Trains nothing, but keeps all patches of the normal images; `layers`, null: the last one."""

    share: float = 1.0  # of the patches that are kept

    normed = True
    usual = staticmethod(lambda known: known[-1:])

    def rows_of(self, maps: list[Tensor]) -> Tensor:
        return F.normalize(rows(maps), dim=-1)  # (n, h, w, D)

    def embed(self, pixels, **given) -> Embedding:
        """{"map": float32 (N, h, w)}: of each patch, 1 - cos of the angle to the nearest patch of
        the bank, in [0, 2]; more as of `OnMemory`."""
        return {"map": super().embed(pixels, **given)["map"] / 2}  # |a - b|^2 / 2 of unit vectors

    def graph(self, side: int) -> nn.Module:
        """See contracts.py."""
        whole = super().graph(side)
        squared = whole.of
        whole.of = lambda x: {"map": squared(x)["map"] / 2}
        return whole


build = AnomalyDINO
