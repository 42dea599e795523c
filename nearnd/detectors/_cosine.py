"""How far maps that were given back point away from what they should be (ReContrast, Dinomaly)."""

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F


def apart(a: Tensor, b: Tensor) -> Tensor:
    """1 - cos of the channels at each place (n, h, w) of maps (n, C, h, w)."""
    return 1 - F.cosine_similarity(a, b)


def hard_cosine(
    a: Tensor, b: Tensor, limit: Callable[[Tensor], Tensor], factor: float = 0.0
) -> Tensor:
    """1 - cos of whole maps a, which gets no gradient, and b (n, C, h, w), mean over n.

    The gradient with respect to b is multiplied by `factor` at places that are nearer than
    limit(1 - cos of all places of the batch): what is given back well already is left alone.
    """
    away = apart(a.detach(), b.detach())  # (n, h, w)
    easy = (away < limit(away))[:, None]  # (n, 1, h, w)
    b.register_hook(lambda gradient: gradient.where(~easy, factor * gradient))
    return apart(a.detach().flatten(1), b.flatten(1)).mean()
