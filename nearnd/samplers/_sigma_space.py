"""VE, VP and sub-VP networks seen as one: x_0 + sigma z with sigma = std/m, and its denoiser (EDM,
"Elucidating the Design Space of Diffusion-Based Generative Models", section 2 and appendix C)."""

from collections.abc import Callable

import torch
from torch import Tensor


def noise_levels(sde, steps: int, rho: float) -> list[float]:
    """`steps` levels from the network's highest to its lowest, then 0 (EDM eq. 5).

    Larger rho puts more of them near the lowest. A discrete network takes the nearest of its own,
    fewer if two are the same.
    """
    low, high = (sigma ** (1 / rho) for sigma in sde.noise_range())
    levels = [(high + i / max(steps - 1, 1) * (low - high)) ** rho for i in range(steps)]
    return [*dict.fromkeys(sde.nearest(sigma) for sigma in levels), 0.0]


def denoiser(sde, score: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, float], Tensor]:
    """D(x, sigma) = E[x_0 | x_0 + sigma z = x] = x + sigma^2 m s(m x, t), float64 (N, C, H, W)."""

    def denoise(x: Tensor, sigma: float) -> Tensor:
        t = sde.time(torch.tensor([sigma], dtype=torch.float64))  # (1,)
        m = float(sde.marginal(t)[0])
        s = score((m * x).float(), t.to(x.device, torch.float32))
        return x + sigma**2 * m * s.double()  # (N, C, H, W)

    return denoise
