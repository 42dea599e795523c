"""The denoising score matching loss."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from nearnd.generators._sde import over

EPS = 1e-5  # the smallest time in training


def denoising_loss(
    score: Callable[[Tensor, Tensor], Tensor],
    sde,
    x: Tensor,
    t: Tensor,
    z: Tensor,
    *,
    mean: bool,
    likelihood: bool = False,
) -> Tensor:
    """Mean over the batch of ||std s(x_t, t) + z||^2, or g^2 ||s + z/std||^2 if `likelihood`.

    Pixels are averaged if `mean` (VP, sub-VP), else summed and halved (VE). x (N, C, H, W) in the
    SDE's range, t (N,), z like x. Source: score_sde eq. 7 and its code.
    """
    m, std = sde.marginal(t)
    x_t = over(m) * x + over(std) * z  # (N, C, H, W)
    s = score(x_t, t)
    if likelihood:
        error = (s + z / over(std)) ** 2 * over(sde.diffusion(t)) ** 2
    else:
        error = (over(std) * s + z) ** 2
    error = error.flatten(1)  # (N, D)
    return (error.mean(1) if mean else 0.5 * error.sum(1)).mean()
