"""CSI: contrastive learning in which rotated images are others, and a question of which rotation.

Tack et al., "CSI: Novelty Detection via Contrastive Learning on Distributionally Shifted
Instances", NeurIPS 2020, with its official code, for CIFAR-10. Known differences are named in
`networks/views.py` and `networks/contrastive.py`; beside them one device sees the whole batch (the
code's four, 32 images each), and the learning rate ends at 0 (the code's just above it). The
code's table of CIFAR-100's super-classes mixes 13 of the 20 groups; here they are CIFAR-100's own.

The shifts must change what normal images are: turned by 180 degrees a texture, a 0 or an 8 is
still one.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nearnd.contracts import Embedding, Progress, silent
from nearnd.detectors._contrastive import VIEWS, FromScratch, Projected, over_views, work_of
from nearnd.detectors._trained import Given
from nearnd.files.header import extended, whole
from nearnd.networks.contrastive import nt_xent
from nearnd.networks.precision import exact
from nearnd.networks.views import Views

NEEDS = []
EMBEDS = ["features", "projections", "shift_logits"]
RANGES = {"ensemble": (1, 10_000), "scale": (0.001, 1), "share": (0.001, 1)}


def work(about, *, depth, width, stem, epochs, batch, shifts, ensemble, **rest) -> dict:
    """See contracts.py."""
    from nearnd.networks.shifts import SHIFTS

    k = len(SHIFTS[shifts])
    how = {"depth": depth, "width": width, "stem": stem, "views": 2 * k, "looks": 1 + ensemble * k}
    return work_of(about, **how, epochs=epochs, batch=batch)


class Shifted(Projected):
    """With a linear layer that says which shift it sees, logits (N, K)."""

    def __init__(self, shifts: int, *network):
        super().__init__(*network)
        self.shift = nn.Linear(self.features, shifts)


@dataclass
class CSI(FromScratch):
    """NT-Xent over all views and shifts, and the cross-entropy of the shift, both with weight 1.
    `shifts: none` is SimCLR with CSI's recipe (there `batch` 512)."""

    shifts: Literal["rotation", "permute", "none"] = "rotation"  # permute: halves are swapped
    ensemble: int = 10  # views of an image, in each shift, that are averaged
    share: float = 0.54  # of the image that each of these shows

    FACTS = extended(FromScratch.FACTS, ensemble=whole(most=10_000), look=VIEWS)

    def prepare(self, given: Given) -> None:
        look = self.views(scale=[self.share, self.share])
        super().prepare(given, ensemble=self.ensemble, look=look)

    def loss(self, h: Tensor, z: Tensor, labels: Tensor) -> Tensor:
        right = torch.arange(self.count(), device=z.device).repeat(len(z) // self.count())
        told = F.cross_entropy(exact(self.net.shift, h), right)  # 0 where there is one shift
        return nt_xent(z, self.temperature) + told

    def untrained(self) -> Shifted:
        return Shifted(self.count(), self.trunk(), self.facts["code"])

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """float32 arrays: "features" (N, D), see `Contrastive`; "projections" (N, K, code) and
        "shift_logits" (N, K), what is compared and the logit of the right shift, of K shifts of the
        image, both the mean over `ensemble` random views. With one shift the logit, about which
        nothing was learnt, is 1."""
        found = super().embed(pixels)
        run, net, k = self.in_precision(), self.net, self.count()
        on, how = next(net.parameters()).device, Views(**self.facts["look"])

        def of(x: Tensor, u: Tensor) -> list[Tensor]:
            n, times = u.shape[:2]
            x, u = (t.to(on) for t in (x.repeat_interleave(times, 0), u.flatten(0, 1)))
            h, z = run(self.shown(x, u, how))  # (n times k, ...)
            right = exact(net.shift, h).unflatten(0, (n, times, k)).diagonal(dim1=2, dim2=3)
            right = right if k > 1 else torch.ones_like(right)
            return [z.unflatten(0, (n, times, k)).mean(1), right.mean(1)]

        z, right = over_views(of, pixels, seeds, (self.facts["ensemble"], k), progress)
        return found | {"projections": z, "shift_logits": right}


build = CSI
