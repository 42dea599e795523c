"""The probability-flow ODE with the Runge-Kutta pair of Dormand and Prince, its steps adapted to
the network."""

from itertools import pairwise
from typing import Any

from nearnd.contracts import Sampler
from nearnd.samplers._settings import together

PILOT = 8  # images
LONGEST = 0.1  # step in t; longer ones can pass by accident, where the error changes its sign


def build(*, tolerance: float = 1e-5, denoise: bool = True) -> Sampler:
    """Takes 6 calls of the score for every step, + 1. Of fifth order.

    The steps are those that a pilot of 8 images needs, always the same ones, for an error of at
    most tolerance (1 + |x|), root mean square; all images then take them. score_sde's sampler
    controls the error of the batch at hand, and even a control for each image would not be free of
    the batch: the last digits of a network's output depend on it, and turn a step down or not.
    denoise: end with the posterior mean at the smallest time, the one call more.
    The sampler raises FloatingPointError if no step is short enough.
    """

    def sample(sde, score, noise):
        import torch
        from scipy.integrate import RK45

        def slope(x, time: float):
            t = torch.full((1,), time, dtype=torch.float64, device=x.device)
            s = score(x.float(), t.float()).double()
            return sde.reverse(x, t, s, flow=True)[0]  # (N, C, H, W)

        x = sde.prior_std * noise().double()  # (N, C, H, W)
        for t, then in pairwise(_times(slope, sde, x, tolerance)):
            slopes = []
            for c, row in zip(RK45.C.tolist(), RK45.A.tolist(), strict=True):
                shift = sum(a * k for a, k in zip(row, slopes, strict=False))
                slopes.append(slope(x + (then - t) * shift, t + c * (then - t)))
            x = x + (then - t) * sum(b * k for b, k in zip(RK45.B.tolist(), slopes, strict=True))
        if denoise:
            t = torch.full((1,), sde.eps, device=x.device)
            m, std = sde.marginal(t)  # (1,)
            x = (x + std**2 * score(x.float(), t)) / m
        return x.float()  # (N, C, H, W)

    return sample


def _times(slope, sde, like, tolerance: float) -> list[float]:
    """From 1 to eps, in the steps of the pilot."""
    import torch
    from scipy.integrate import solve_ivp

    first = torch.randn(PILOT, *like.shape[1:], generator=torch.Generator().manual_seed(0))

    def flat(time: float, x):
        x = torch.from_numpy(x).reshape(first.shape).to(like.device)
        return slope(x, time).flatten().cpu().numpy()

    start = sde.prior_std * first.double().flatten().numpy()
    message = "the network's output is not finite"
    if torch.isfinite(torch.from_numpy(flat(1.0, start))).all():
        span, options = (1.0, sde.eps), {"rtol": tolerance, "atol": tolerance}
        solved = solve_ivp(flat, span, start, method="RK45", max_step=LONGEST, **options)
        if solved.success:
            return solved.t.tolist()
        message = solved.message
    raise FloatingPointError(
        f"sampler: kind ode does not reach the end with tolerance {tolerance:g}: {message} Raise"
        " it, or use kind heun"
    )


def check(*, sde: str, continuous: bool, **settings: Any) -> None:
    """ValueError for a network of N noise levels, which jumps from one to the next."""
    together("ode", "kind: ode", "continuous", continuous, [True])
