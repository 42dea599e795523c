"""What PANDA and MSAD share: a backbone whose weights are moved a little, by plain SGD.

The network stays in evaluation mode while it is trained, so that the statistics of its batch norms
never move. One step changes so little (clip times lr is 1e-5 in PANDA) that bfloat16 would round it
away before the next forward pass: float32 is the default here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import nn

from nearnd.detectors._freeze import freeze_as
from nearnd.detectors._trained import Given, OnBackbone
from nearnd.jobs.device import device


@dataclass
class Tuned(OnBackbone):
    """A kind adds `lr`, `momentum`, `weight_decay`, and `clip` if it has it."""

    freeze: list[str] | float | None = None  # modules by name, a share of the blocks (with the
    # stem), or null: conv1, bn1, layer1, layer2 of a ResNet as in PANDA's paper, stem and half of
    # the blocks of any other network
    precision: Literal["auto", "fp32", "bf16"] = "fp32"

    clip = None

    def open(self, given: Given) -> nn.Module:
        """The backbone on this job's device, frozen as the entry says."""
        model = super().open(given)
        freeze_as(model, self.freeze)
        return model.to(device())

    def descend(self, given: Given, net: nn.Module, loss: Callable, steps: int) -> None:
        """Moves the unfrozen weights of `net` by SGD as the options say, in evaluation mode."""
        trained = [p for p in net.parameters() if p.requires_grad]
        decay = self.weight_decay
        optimizer = torch.optim.SGD(trained, self.lr, self.momentum, weight_decay=decay)
        given.train(net.eval(), optimizer, loss, steps=steps, clip=self.clip)


def change(before: np.ndarray, after: np.ndarray) -> str:
    """Words on how far training moved the features (N, D), for the log."""
    moved = np.linalg.norm(after - before, axis=1).mean()
    spread = np.linalg.norm(before - before.mean(axis=0), axis=1).mean()
    return (
        f"features moved by {moved:.3g} on average; before, their distance from the mean was"
        f" {spread:.3g}"
    )
