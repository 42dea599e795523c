"""UNODE with labels: its head says the class, and how sure it is stands in the place of "normal".

The paper alone has it; the released code does not. As we read it: the negatives stay those of the
contrast, and only normal images are classified. Score: `unode_labelled`.
"""

from dataclasses import dataclass

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from nearnd.contracts import Embedding, Progress, silent
from nearnd.detectors._contrastive import check_classes
from nearnd.detectors._trained import Given
from nearnd.detectors.unode import Unode, work  # noqa: F401 (of this kind too)
from nearnd.files.header import extended, whole
from nearnd.networks.precision import exact

NEEDS = ["labels"]
VALUES_NEED = {"hard": {"outliers": "outliers", "mixup_outliers": "outliers"}}
EMBEDS = ["features", "projections", "logits"]
RANGES = {
    "ensemble": (1, 10_000), "scale": (0.001, 1), "share": (0.001, 1), "most": (1, 100),
    "looked_at": (4, 1_000_000),
}  # fmt: skip


@dataclass
class Labelled(Unode):
    """See `Hardened`; with the labels of the normal images."""

    FACTS = extended(Unode.FACTS, classes=whole(2))

    def prepare(self, given: Given, **facts) -> None:
        super().prepare(given, classes=check_classes(given, self.kind), **facts)

    def classified(self, h: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(exact(self.net.head, h[0]), labels)  # of logits (2 B, classes)

    def logits(self) -> int:
        return self.facts["classes"]

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """float32 arrays: "features" (N, D), "projections" (N, 1, code), see `Hardened`; "logits"
        (N, classes), the head's."""
        found = super().embed(pixels, seeds=seeds, progress=progress)
        return {{"hard_logits": "logits"}.get(name, name): a for name, a in found.items()}


build = Labelled
