"""Three stochastic processes that turn images into noise: VE, VP and sub-VP, on t in [0, 1].

x_t = m(t) x_0 + std(t) z. Source: Song et al., "Score-Based Generative Modeling through SDEs",
section 3.4 and appendices B and C. Times are (N,) or, if all images are at the same time, (1,);
images (N, C, H, W). Step i of n leads from noise level i to i + 1, i = floor((n - 1) t).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

EPS = 1e-5  # the smallest time in training


def over(a: Tensor) -> Tensor:
    """(N,) -> (N, 1, 1, 1)."""
    return a[:, None, None, None]


class Process:
    """What the three share: all are linear, drift f(x, t) = rate(t) x."""

    def drift(self, x: Tensor, t: Tensor) -> Tensor:
        return over(self.rate(t)) * x  # (N, C, H, W)

    def reverse(self, x: Tensor, t: Tensor, s: Tensor, flow: bool) -> tuple[Tensor, Tensor]:
        """Drift and diffusion backwards in time with the score s: of the reverse SDE (eq. 6), or
        if `flow` of the ODE with the same marginals (eq. 13), which has no diffusion."""
        g = self.diffusion(t)
        share = 0.5 if flow else 1.0
        return self.drift(x, t) - share * over(g) ** 2 * s, torch.zeros_like(g) if flow else g

    def draw_time(self, u: Tensor) -> Tensor:
        """Times of training from uniform numbers in [0, 1)."""
        return EPS + (1 - EPS) * u

    def nearest(self, sigma: float) -> float:
        """The noise level std/m nearest to `sigma` at which the network was trained."""
        return sigma


@dataclass(frozen=True)
class VE(Process):
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

    def rate(self, t: Tensor) -> Tensor:
        return torch.zeros_like(t)

    def diffusion(self, t: Tensor) -> Tensor:
        return self.sigma_min * self.ratio**t * math.sqrt(2 * math.log(self.ratio))

    def discrete(self, t: Tensor, i: Tensor, n: int) -> tuple[Tensor, Tensor]:
        """c and G of step i, x + c x + G z (eq. 46)."""
        sigma, before = self.levels(i, n)
        return torch.zeros_like(sigma), (sigma**2 - before**2).sqrt()

    def levels(self, i: Tensor, n: int) -> tuple[Tensor, Tensor]:
        """sigma_i and sigma_{i-1}, which is 0 for i = 0."""
        table = self.sigma_min * self.ratio ** torch.linspace(0, 1, n, dtype=torch.float64)
        return table[i], torch.where(i > 0, table[(i - 1).clamp(min=0)], 0.0)

    def decay(self, i: Tensor, n: int) -> Tensor:
        """alpha_i, by which the Langevin step is scaled: 1."""
        return torch.ones_like(i, dtype=torch.float64)

    def level(self, t: Tensor) -> Tensor:
        """What the network is told about t: sigma(t)."""
        return self.marginal(t)[1]

    def score(self, out: Tensor, t: Tensor) -> Tensor:
        """The network divides by sigma itself, so its output is the score."""
        return out

    def noise_range(self) -> tuple[float, float]:
        """Smallest and largest std(t)/m(t) for samplers in steps of the noise level."""
        return self.sigma_min, self.sigma_max

    def time(self, sigma: Tensor) -> Tensor:
        """t with std(t)/m(t) = sigma."""
        return torch.log(sigma / self.sigma_min) / math.log(self.ratio)


@dataclass(frozen=True)
class VP(Process):
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

    def rate(self, t: Tensor) -> Tensor:
        return -0.5 * self.beta(t)

    def diffusion(self, t: Tensor) -> Tensor:
        return self.beta(t).sqrt()

    def discrete(self, t: Tensor, i: Tensor, n: int) -> tuple[Tensor, Tensor]:
        alpha = self.decay(i, n)
        return alpha.sqrt() - 1, (1 - alpha).sqrt()

    def decay(self, i: Tensor, n: int) -> Tensor:
        """alpha_i = 1 - beta_i of DDPM; ValueError if n is so small that some are negative."""
        if self.beta_max >= n:
            raise ValueError(
                f"the steps of VP with {n} noise levels would be too long: take more than"
                f" {self.beta_max:g} (sampler: steps)"
            )
        ends = self.beta_min / n, self.beta_max / n
        return 1 - torch.linspace(*ends, n, dtype=torch.float64)[i]

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

    def discrete(self, t: Tensor, i: Tensor, n: int) -> tuple[Tensor, Tensor]:
        """Euler's step: the paper gives no other."""
        return self.rate(t) / n, self.diffusion(t) / math.sqrt(n)

    def time(self, sigma: Tensor) -> Tensor:
        return self._invert(torch.log(((sigma**2 + 4).sqrt() - sigma) / 2))
