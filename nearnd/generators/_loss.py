"""The denoising score matching loss."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from nearnd.generators._sde import Process, over


def training_loss(
    run: Callable[[Tensor, Tensor], Tensor],
    sde: Process,
    x: Tensor,
    *,
    likelihood: bool = False,
    parts: Sequence[slice] = (slice(None),),
) -> Iterator[Tensor]:
    """The loss of a batch at random times, with noise of torch's global generator, in parts that
    add up to it.

    run(x, level) is the network; x (B, C, H, W) in the SDE's range. `parts` are the images of each
    part; times and noise are drawn for the whole batch and do not depend on them. Pixels are
    averaged for VP and sub-VP and summed for VE, as in the published configurations.
    """
    t = sde.draw_time(torch.rand(len(x), device=x.device))  # (B,)
    z = torch.randn_like(x)  # (B, C, H, W)
    for rows in parts:
        loss = denoising_loss(
            lambda x, t: sde.score(run(x, sde.level(t)), t),
            sde, x[rows], t[rows], z[rows], mean=sde.centered, likelihood=likelihood,
        )  # fmt: skip
        yield loss * (len(x[rows]) / len(x))


def denoising_loss(
    score: Callable[[Tensor, Tensor], Tensor],
    sde: Process,
    x: Tensor,
    t: Tensor,
    z: Tensor,
    *,
    mean: bool,
    likelihood: bool = False,
) -> Tensor:
    """Mean over the batch of ||std s(x_t, t) + z||^2, or g^2 ||s + z/std||^2 if `likelihood`.

    Pixels are averaged if `mean`, else summed and halved. x (N, C, H, W) in the SDE's range,
    t (N,), z like x. With the discrete processes this is the loss of SMLD (which sums) and DDPM
    (which averages). Source: score_sde eqs. 1, 3 and 7 and its code.
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
