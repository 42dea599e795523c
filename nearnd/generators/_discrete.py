"""The discrete forerunners of VE and VP: SMLD and DDPM, whose networks know N noise levels only.

Level i belongs to time i / (N - 1). Source: Song et al., "Score-Based Generative Modeling through
SDEs", sections 2.1, 2.2 and appendix G; the labels are those of its code.
"""

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from nearnd.generators._sde import VE, VP, Process, SubVP, over

SDES = {"ve": VE, "vp": VP, "subvp": SubVP}


def make(name: str, process: dict) -> Process:
    """The process of a snapshot's header. `num_scales` among its constants makes it discrete."""
    kinds = {"ve": SMLD, "vp": DDPM} if "num_scales" in process else SDES
    return kinds[name](**process)


def _draw(u: Tensor, n: int) -> Tensor:
    """The times of levels drawn with equal chance, from uniform numbers."""
    return (u * n).long().clamp(max=n - 1) / (n - 1)


@dataclass(frozen=True)
class SMLD(VE):
    """VE with a network that is told the number of the level, counted from the largest sigma.

    The levels are VE's sigma(t) at t = i / (N - 1), so that only the network differs.
    """

    num_scales: int = 1000

    def draw_time(self, u: Tensor) -> Tensor:
        return _draw(u, self.num_scales)

    def level(self, t: Tensor) -> Tensor:
        return ((1 - t) * (self.num_scales - 1)).round()

    def score(self, out: Tensor, t: Tensor) -> Tensor:
        """The network predicts -z."""
        sigma = self.marginal(1 - self.level(t) / (self.num_scales - 1))[1]
        return out / over(sigma)

    def nearest(self, sigma: float) -> float:
        n = self.num_scales - 1
        t = self.time(torch.tensor([sigma], dtype=torch.float64))
        return float(self.marginal((t * n).round() / n)[1])


@dataclass(frozen=True)
class DDPM(VP):
    """VP in N steps: m and std come from the products of alpha_i = 1 - beta_i."""

    num_scales: int = 1000

    def draw_time(self, u: Tensor) -> Tensor:
        return _draw(u, self.num_scales)

    def marginal(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Of the level at or before t."""
        # 3e-4 is above the rounding of float32 times: level i is not taken for i - 1
        i = (t.double() * (self.num_scales - 1) + 3e-4).long()
        m, std = _ddpm_table(self, t.device)
        return m[i].to(t.dtype), std[i].to(t.dtype)

    def level(self, t: Tensor) -> Tensor:
        return t * (self.num_scales - 1)

    def noise_range(self) -> tuple[float, float]:
        m, std = _ddpm_table(self, torch.device("cpu"))
        return float(std[0] / m[0]), self.nearest(80.0)

    def time(self, sigma: Tensor) -> Tensor:
        """Of the level nearest to sigma, in ratio."""
        m, std = _ddpm_table(self, sigma.device)
        distance = (torch.log(std / m) - torch.log(sigma.double())[:, None]).abs()  # (K, N)
        return distance.argmin(1).to(sigma.dtype) / (self.num_scales - 1)

    def nearest(self, sigma: float) -> float:
        m, std = self.marginal(self.time(torch.tensor([sigma], dtype=torch.float64)))
        return float(std / m)


@cache
def _ddpm_table(sde: DDPM, device: torch.device) -> tuple[Tensor, Tensor]:
    """m and std at all levels, float64 (N,)."""
    n = sde.num_scales
    log = torch.log(sde.decay(torch.arange(n), n)).cumsum(0)  # ln of the product of alphas
    return (0.5 * log).exp().to(device), (-torch.expm1(log)).sqrt().to(device)
