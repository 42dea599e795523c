"""DeepSVDD: codes of normal images are drawn to one point (Ruff et al., "Deep One-Class
Classification", 2018).

The defaults are the official code's for CIFAR-10. The weights of an autoencoder of the normal
images are where training starts.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from nearnd.detectors._deep_svdd import Compact, work  # noqa: F401 (of this kind too)
from nearnd.detectors._trained import Given

NEEDS = []
EMBEDS = ["features", "logit"]


@dataclass
class DeepSVDD(Compact):
    """The score is |z - c|^2, minus R^2 for the soft boundary."""

    objective: Literal["one_class", "soft_boundary"] = "one_class"  # or with a radius R
    nu: float = 0.1  # of soft_boundary: the share of the images that may lie outside of R
    warm_up: int = 10  # epochs for which R stays 0
    contrast: bool = True  # images are normalised in contrast and scaled by the extrema of the
    # normal training images
    batch: int = 200

    def __post_init__(self):
        if not 0 < self.nu < 1:
            raise ValueError(f"deep_svdd: nu is {self.nu}, a share of the images between 0 and 1")

    def images(self, given: Given) -> tuple[np.ndarray, int]:
        return given.normal.pixels, len(given.normal)

    def loss(self, d: Tensor, rows: np.ndarray, step: int, normals: int) -> Tensor:
        if self.objective == "one_class":
            return d.mean()
        moves = step * self.batch >= self.warm_up * normals
        return soft_boundary(d, self.net.radius, self.nu, moves=moves)


def soft_boundary(d: Tensor, radius: Tensor, nu: float, *, moves: bool) -> Tensor:
    """R^2 + mean(max(0, d - R^2)) / nu of squared distances d (N,). Then, if it `moves`, R becomes
    the distance that a share nu of the batch is beyond."""
    square = radius.detach() ** 2
    value = square + (d - square).clamp_min(0).mean() / nu
    if moves:
        with torch.no_grad():
            radius.copy_(torch.quantile(d.detach().sqrt(), 1 - nu))
    return value


build = DeepSVDD
