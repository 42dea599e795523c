"""ADIB: outlier exposure that stays near the pretrained weights (Deecke et al., TransferAD).

A one-logit classifier, normal against outliers, with a penalty on how far the weights have gone
from where they began. The official network is a ResNet-26 for 32 pixels whose weight file is not
published; any backbone takes its place here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nearnd.detectors._exposed import ExposedBackbone, work  # noqa: F401 (of this kind too)

NEEDS = ["backbone", "outliers"]
EMBEDS = ["features", "logit"]


@dataclass
class ADIB(ExposedBackbone):
    """Binary cross-entropy + alpha |theta - theta_0|, by the official recipe. Batch norms are in
    training mode while it trains."""

    alpha: float = 0.01
    epochs: int = 100  # passes over the normal images
    milestones: Sequence[int] = (60, 80)  # epochs at which the learning rate falls to a tenth
    batch: int = 64  # normal images, and as many outliers
    lr: float = 0.1  # of a ResNet; a ViT needs a smaller one
    momentum: float = 0.9
    weight_decay: float = 1e-4
    shift: int = 4  # pixels; the border is repeated (the original's is black)
    flip: bool = True  # training images are mirrored half of the time

    loss, radial, gamma, code = "bce", "squared", 0.0, None

    def optimizer(self, parameters) -> torch.optim.Optimizer:
        decay = self.weight_decay
        return torch.optim.SGD(parameters, self.lr, self.momentum, weight_decay=decay)

    def penalty(self, backbone: nn.Module) -> Callable[[], Tensor]:
        held = matrices(backbone)
        start = [p.detach().clone() for p in held]
        return lambda: self.alpha * how_far(held, start)


def matrices(model: nn.Module) -> list[Tensor]:
    """The weights that are held back: all convolutions and matrices. Of the official ResNet-26,
    whose shortcuts have no weights, these are its 3 x 3 convolutions."""
    return [p for p in model.parameters() if p.ndim > 1]


def how_far(now: list[Tensor], start: list[Tensor]) -> Tensor:
    """|theta - theta_0| over all of these weights, not squared. Its gradient at the start is 0."""
    parts = [(p - q).flatten() for p, q in zip(now, start, strict=True)]
    return torch.linalg.vector_norm(torch.cat(parts))


build = ADIB
