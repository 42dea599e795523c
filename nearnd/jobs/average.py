"""The running average of a network's weights (EMA)."""

from collections.abc import Callable

import torch
from torch import nn


class Average:
    """The average of a module's trained parameters; buffers and frozen ones have none. `rate` is
    that of `ema_rate`, or a function: n -> the rate of the n-th update."""

    def __init__(self, module: nn.Module, rate: float | Callable[[int], float]):
        trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
        self.rate, self.params = rate, list(trained.values())
        self.tensors = {name: p.detach().clone() for name, p in trained.items()}

    def follow(self, n: int) -> None:
        """After the n-th update (n = 1, 2, ...) of the parameters."""
        weight = 1 - (self.rate(n) if callable(self.rate) else ema_rate(self.rate, n))
        live = [p.detach() for p in self.params]
        torch._foreach_lerp_(list(self.tensors.values()), live, weight)

    @torch.no_grad()
    def put(self) -> None:
        """Leaves the average in the module."""
        torch._foreach_copy_(self.params, list(self.tensors.values()))


def ema_rate(rate: float, n: int) -> float:
    """The averaging rate of the n-th update (n = 1, 2, ...): min(rate, (1 + n) / (10 + n)), so that
    early averages forget the initial weights (score_sde)."""
    return min(rate, (1 + n) / (10 + n))
