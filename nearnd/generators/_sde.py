"""Three stochastic processes that turn images into noise: VE, VP and sub-VP, on t in [0, 1].

x_t = m(t) x_0 + std(t) z. Source: Song et al., "Score-Based Generative Modeling through SDEs",
section 3.4 and appendices B and C. Times are (N,), images (N, C, H, W).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


def over(a: Tensor) -> Tensor:
    """(N,) -> (N, 1, 1, 1)."""
    return a[:, None, None, None]


@dataclass(frozen=True)
class VE:
    """dx = g(t) dw: the noise explodes from sigma_min to sigma_max; images in [0, 1]."""

    sigma_min: float = 0.01
    sigma_max: float = 50.0
    name = "ve"
    centered = False
    eps = 1e-5  # where sampling ends

    @property
    def ratio(self) -> float:
        return self.sigma_max / self.sigma_min

    @property
    def prior_std(self) -> float:
        return self.sigma_max

    def marginal(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """m(t), std(t). The variance sigma_min^2 at t = 0 is kept, as in the official code."""
        return torch.ones_like(t), self.sigma_min * self.ratio**t

    def drift(self, x: Tensor, t: Tensor) -> Tensor:
        return torch.zeros_like(x)

    def diffusion(self, t: Tensor) -> Tensor:
        return self.sigma_min * self.ratio**t * math.sqrt(2 * math.log(self.ratio))

    def discrete(self, x: Tensor, t: Tensor, n: int) -> tuple[Tensor, Tensor]:
        """f and G of the forward step x + f + G z on the grid of n noise levels (eq. 46)."""
        sigma, before = self.levels(t, n)
        return torch.zeros_like(x), (sigma**2 - before**2).sqrt()

    def levels(self, t: Tensor, n: int) -> tuple[Tensor, Tensor]:
        """sigma_i at t and sigma_{i-1}, which is 0 for i = 0."""
        table = torch.linspace(math.log(self.sigma_min), math.log(self.sigma_max), n).exp().to(t)
        i = _index(t, n)
        return table[i], torch.where(i > 0, table[(i - 1).clamp(min=0)], 0.0)

    def decay(self, t: Tensor, n: int) -> Tensor:
        """alpha_i, by which the Langevin step is scaled: 1."""
        return torch.ones_like(t)

    def level(self, t: Tensor) -> Tensor:
        """What the network is told about t: sigma(t)."""
        return self.marginal(t)[1]

    def score(self, out: Tensor, t: Tensor) -> Tensor:
        """The network divides by sigma itself, so its output is the score."""
        return out

    def noise_range(self) -> tuple[float, float]:
        """Smallest and largest std(t)/m(t) for the sampler of `_heun`."""
        return self.sigma_min, self.sigma_max

    def time(self, sigma: Tensor) -> Tensor:
        """t with std(t)/m(t) = sigma."""
        return torch.log(sigma / self.sigma_min) / math.log(self.ratio)


@dataclass(frozen=True)
class VP:
    """dx = -beta/2 x dt + sqrt(beta) dw: the variance stays 1; images in [-1, 1]."""

    beta_min: float = 0.1
    beta_max: float = 20.0
    name = "vp"
    centered = True
    eps = 1e-3
    prior_std = 1.0

    def beta(self, t: Tensor) -> Tensor:
        return self.beta_min + t * (self.beta_max - self.beta_min)

    def log_mean(self, t: Tensor) -> Tensor:
        return -0.25 * t**2 * (self.beta_max - self.beta_min) - 0.5 * t * self.beta_min

    def marginal(self, t: Tensor) -> tuple[Tensor, Tensor]:
        log_m = self.log_mean(t)
        return log_m.exp(), (-torch.expm1(2 * log_m)).sqrt()

    def drift(self, x: Tensor, t: Tensor) -> Tensor:
        return -0.5 * over(self.beta(t)) * x

    def diffusion(self, t: Tensor) -> Tensor:
        return self.beta(t).sqrt()

    def discrete(self, x: Tensor, t: Tensor, n: int) -> tuple[Tensor, Tensor]:
        alpha = self.decay(t, n)
        return over(alpha.sqrt() - 1) * x, (1 - alpha).sqrt()

    def decay(self, t: Tensor, n: int) -> Tensor:
        """alpha_i = 1 - beta_i of DDPM."""
        return 1 - torch.linspace(self.beta_min / n, self.beta_max / n, n).to(t)[_index(t, n)]

    def level(self, t: Tensor) -> Tensor:
        return 999 * t

    def score(self, out: Tensor, t: Tensor) -> Tensor:
        """The network predicts +z."""
        return -out / over(self.marginal(t)[1])

    def noise_range(self) -> tuple[float, float]:
        """At t = eps and t = 1; EDM's default range 0.002..80 lies about inside."""
        m, std = self.marginal(torch.tensor([self.eps, 1.0], dtype=torch.float64))
        low, high = (std / m).tolist()
        return low, min(high, 80.0)

    def time(self, sigma: Tensor) -> Tensor:
        return self._invert(-0.5 * torch.log1p(sigma**2))

    def _invert(self, log_m: Tensor) -> Tensor:
        d = self.beta_max - self.beta_min
        return ((self.beta_min**2 - 4 * d * log_m).sqrt() - self.beta_min) / d


@dataclass(frozen=True)
class SubVP(VP):
    """As VP with less noise on the way: std(t) = 1 - m(t)^2."""

    name = "subvp"

    def marginal(self, t: Tensor) -> tuple[Tensor, Tensor]:
        log_m = self.log_mean(t)
        return log_m.exp(), -torch.expm1(2 * log_m)

    def diffusion(self, t: Tensor) -> Tensor:
        return (self.beta(t) * -torch.expm1(4 * self.log_mean(t))).sqrt()

    def discrete(self, x: Tensor, t: Tensor, n: int) -> tuple[Tensor, Tensor]:
        """Euler's step: the paper gives no other."""
        return self.drift(x, t) / n, self.diffusion(t) / math.sqrt(n)

    def time(self, sigma: Tensor) -> Tensor:
        return self._invert(torch.log(((sigma**2 + 4).sqrt() - sigma) / 2))


def _index(t: Tensor, n: int) -> Tensor:
    return (t * (n - 1)).long()  # floor, as in the official code


SDES = {"ve": VE, "vp": VP, "subvp": SubVP}
