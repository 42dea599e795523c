"""MHRot with outlier exposure ("GT+ with OE" in RETH): of outliers, all answers are equally likely.

The recipe is that of `mhrot`. The authors write that the answers shall be uniform on outliers, and
release no code; our choice is half the weight, as in outlier exposure of classifiers, and outliers
that go through the same transformations, as many as normal images.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from nearnd.detectors._trained import Given
from nearnd.detectors._transformed import work_of
from nearnd.detectors.mhrot import MHRot, transformations
from nearnd.networks.heads import from_uniform, log_answers, of_right

NEEDS = ["outliers"]
EMBEDS = ["features", "right"]
RANGES = {"shift": (1, 16384)}


def work(about, *, depth, width, epochs, iterations, batch, **rest) -> dict:
    """See contracts.py."""
    about = about._replace(outliers=about.images)  # as many, in the same batch
    how = {"depth": depth, "width": width, "epochs": epochs, "iterations": iterations}
    return work_of(about, transformations(1), **how, batch=2 * batch, stack=4)


@dataclass
class ExposedMHRot(MHRot):
    """A batch has as many outliers as normal images."""

    weight: float = 0.5  # of the outliers' part of the loss

    def objective(self, given: Given) -> Callable[[int], Tensor]:
        normals, outliers = given.pair(self.kind)
        show, show_other = self.shower(normals, given.seed), self.shower(outliers, given.seed + 1)
        sizes = self._asked().sizes

        def loss(step: int) -> Tensor:
            (x, y), (other, _) = show(step), show_other(step)
            log_p = log_answers(self.net(torch.cat([x, other]))[1], sizes)  # (2B, K)
            ours, theirs = log_p.split(len(x))
            right = of_right(ours, y, sizes).mean()
            return -right + self.weight * from_uniform(theirs, sizes).mean()

        return loss


build = ExposedMHRot
