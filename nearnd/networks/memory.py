"""A memory between an encoder and a decoder: codes are rebuilt of few kept ones."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TINY = 1e-12


class Memory(nn.Module):
    """Items M (N, L), learned. A code is replaced by a mixture of them; weights of no more than
    `shrink` become 0, so that an anomaly cannot be mixed of a little of everything."""

    def __init__(self, items: int, code: int, shrink: float):
        super().__init__()
        self.items = nn.Parameter(torch.empty(items, code))
        nn.init.uniform_(self.items, -(code**-0.5), code**-0.5)
        self.shrink = shrink

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Mixtures (n, L) of codes (n, L), and their weights (n, N), which add up to 1."""
        w = (F.normalize(z) @ F.normalize(self.items).T).softmax(1)  # (n, N)
        w = (w - self.shrink).relu() * w / ((w - self.shrink).abs() + TINY)
        w = F.normalize(w, p=1, dim=1, eps=TINY)
        return w @ self.items, w


def largest(items: int) -> float:
    """The weight of an item that a code points to, if it points away from all others."""
    return 1 / (1 + (items - 1) * math.exp(-2))


def entropy_of(w: Tensor) -> Tensor:
    """Of weights (n, N), the mean over images: small where few items are used."""
    return -(w * (w + TINY).log()).sum(1).mean()
