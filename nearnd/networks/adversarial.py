"""What two networks that play against each other say of each other's images: losses of a GAN.

Logits are a critic's, higher for what it takes for real.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn


class Game(NamedTuple):
    """The losses of both sides, of logits (N,)."""

    tell: Callable[[Tensor, Tensor], Tensor]  # the critic's, of real images and of drawn ones
    fool: Callable[[Tensor], Tensor]  # the generator's, of drawn ones


# log p of the right answer, and -log p of "real": Goodfellow et al.'s that does not saturate
LOG_P = Game(
    lambda real, fake: F.softplus(-real).mean() + F.softplus(fake).mean(),
    lambda fake: F.softplus(-fake).mean(),
)
# Lim and Ye, "Geometric GAN": what is on the right side of the margin is left alone
HINGE = Game(
    lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean(),
    lambda fake: -fake.mean(),
)


@contextmanager
def fixed(net: nn.Module) -> Iterator[nn.Module]:
    """Gradients go through the network, none to its weights, which saves a third of its step."""
    net.requires_grad_(False)
    try:
        yield net
    finally:
        net.requires_grad_(True)
