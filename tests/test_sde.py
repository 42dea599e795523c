"""The stochastic processes and their loss, against closed forms and against numbers of the public
score_sde code."""

import math

import numpy as np
import pytest
import torch
from reference import DISCRETE, all_processes, close, gaussian_score, numbers, processes

from nearnd.generators._discrete import DDPM, SMLD, make
from nearnd.generators._loss import denoising_loss, training_loss
from nearnd.generators._sde import VE, VP, SubVP, over

# --- numbers of the reference -------------------------------------------------------------------


@processes
def test_process_agrees_with_the_reference(sde):
    z = numbers("sde.npz")
    x, t = z["x"], z["t"]
    ref = {k.removeprefix(sde.name + "_"): v for k, v in z.items() if k.startswith(sde.name + "_")}
    m, std = sde.marginal(t)
    close(over(m) * x, ref["mean"])
    close(std, ref["std"])
    close(sde.drift(x, t), ref["drift"])
    close(sde.diffusion(t), ref["diffusion"])
    c, G = sde.discrete(t, (t * 999).long(), 1000)
    close(over(c) * x, ref["f"])
    close(G, ref["G"])
    s = gaussian_score(sde, float(z["toy_s0"]))(x, t)
    for kind, flow in (("rev", False), ("ode", True)):
        drift, g = sde.reverse(x, t, s, flow)
        close(drift, ref[f"{kind}_drift"])
        close(g, ref[f"{kind}_diffusion"])
        share = 0.5 if flow else 1.0
        close(over(c) * x - share * over(G) ** 2 * s, ref[f"{kind}_f"])
    d, p = x[0].numel(), sde.prior_std
    logp = -d / 2 * math.log(2 * math.pi * p**2) - x.flatten(1).square().sum(1) / (2 * p**2)
    close(logp, ref["prior_logp"])


@processes
@pytest.mark.parametrize("mean", [0, 1])
@pytest.mark.parametrize("likelihood", [0, 1])
def test_loss_agrees_with_the_reference(sde, mean, likelihood):
    z = numbers("loss.npz")

    def score(x, t):
        label = sde.level(t)
        out = 0.11 * x.sum(1, keepdim=True).expand_as(x) - 0.02
        return sde.score(out / over(1 + label), t)

    got = denoising_loss(
        score, sde, z["x"], z["t"], z["z"], mean=bool(mean), likelihood=bool(likelihood)
    )
    assert float(got) == pytest.approx(float(z[f"{sde.name}_mean{mean}_lw{likelihood}"]), rel=1e-4)


# --- closed forms -------------------------------------------------------------------------------


def test_constants():
    half, one = torch.tensor([0.5]).double(), torch.tensor([1.0]).double()
    assert float(VE(0.01, 50.0).marginal(half)[1]) == pytest.approx(math.sqrt(0.5))
    assert float(VP().marginal(half)[0]) == pytest.approx(0.281183, abs=1e-6)
    assert float(VP().marginal(one)[0]) == pytest.approx(0.0065716, abs=1e-7)
    assert float(SubVP().marginal(torch.tensor([1e-3]).double())[1]) == pytest.approx(
        1.0994e-4, rel=1e-4
    )
    assert VP().noise_range() == pytest.approx((0.010486, 80.0), rel=1e-4)
    m, _ = DDPM().marginal(one)  # the product of 1000 alphas
    assert float(m) ** 2 == pytest.approx(4.0358e-5, rel=1e-4)


@processes
def test_time_inverts_the_noise_level(sde):
    t = torch.linspace(0.01, 1, 50).double()
    m, std = sde.marginal(t)
    assert torch.allclose(sde.time(std / m), t, atol=1e-9)


@processes
def test_simulated_process_has_the_closed_form_marginal(sde):
    torch.manual_seed(0)
    paths, steps, end = 20_000, 400, 0.6
    x = torch.full((paths, 1, 1, 1), 2.0, dtype=torch.float64)
    for i in range(steps):
        t = torch.full((1,), (i + 0.5) * end / steps, dtype=torch.float64)
        dt = end / steps
        x = x + sde.drift(x, t) * dt + over(sde.diffusion(t)) * math.sqrt(dt) * torch.randn_like(x)
    m, std = (float(a) for a in sde.marginal(torch.tensor([end]).double()))
    if sde.name == "ve":  # the paper drops sigma_min^2 at t = 0
        std = math.sqrt(std**2 - sde.sigma_min**2)
    assert float(x.mean()) == pytest.approx(2 * m, abs=4 * std / math.sqrt(paths))
    assert float(x.std()) == pytest.approx(std, rel=0.02)


@processes
def test_discrete_steps_add_up_to_the_marginal(sde):
    n = 1000
    i = torch.arange(n)
    c, G = sde.discrete((i / (n - 1)).double(), i, n)
    mean, variance = 1.0, 0.0
    for factor, noise in zip((1 + c).tolist(), G.tolist(), strict=True):
        mean, variance = mean * factor, variance * factor**2 + noise**2
    m, std = (float(a) for a in sde.marginal(torch.ones(1).double()))
    assert mean == pytest.approx(m, rel=0.05)
    assert math.sqrt(variance) == pytest.approx(std, rel=0.01)


@all_processes
@pytest.mark.parametrize("likelihood", [False, True])
def test_exact_score_minimises_the_loss(sde, likelihood):
    torch.manual_seed(0)
    x = 0.3 * torch.randn(4000, 1, 2, 2)
    t, z = sde.draw_time(torch.rand(4000) * 0.9 + 0.05), torch.randn(4000, 1, 2, 2)
    exact = gaussian_score(sde, 0.3)
    best = denoising_loss(exact, sde, x, t, z, mean=True, likelihood=likelihood)
    for factor in (0.9, 1.1):
        other = denoising_loss(
            lambda x, t, f=factor: f * exact(x, t), sde, x, t, z, mean=True, likelihood=likelihood
        )
        assert other > best
    nothing = denoising_loss(lambda x, t: 0 * x, sde, x, t, z, mean=False)
    assert float(nothing) == pytest.approx(0.5 * 4, rel=0.05)


# --- the discrete processes ---------------------------------------------------------------------


def test_smld_levels_are_those_of_ve_and_count_from_the_largest():
    sde, n = SMLD(0.01, 50.0, num_scales=1000), 1000
    t = torch.arange(n) / (n - 1)  # float32, as in training
    ratio = 50.0 / 0.01
    assert sde.level(t).tolist() == list(range(999, -1, -1))
    assert torch.allclose(sde.marginal(t)[1], 0.01 * ratio**t)
    levels = torch.linspace(math.log(50.0), math.log(0.01), n, dtype=torch.float64).exp()
    score = sde.score(torch.ones(n, 1, 1, 1), t).flatten()  # of a network that predicts z = -1
    assert torch.allclose(score.double().flip(0), 1 / levels, rtol=1e-4)


def test_ddpm_marginals_are_products_and_near_those_of_vp():
    n = 1000
    sde, t = DDPM(num_scales=n), torch.arange(n) / (n - 1)
    betas = np.linspace(0.1 / n, 20 / n, n)
    product = np.cumprod(1 - betas)
    m, std = sde.marginal(t)
    assert m.numpy() == pytest.approx(np.sqrt(product), rel=1e-5)
    assert std.numpy() == pytest.approx(np.sqrt(1 - product), rel=1e-5)
    # abar_i has i + 1 factors: it is the continuous one at (i + 1) / n, up to O(1 / n)
    m_vp, std_vp = VP().marginal((torch.arange(n) + 1) / n)
    assert float((m - m_vp).abs().max()) < 4 / n
    assert float((std - std_vp).abs().max()) < 4 / n
    assert sde.level(t).numpy() == pytest.approx(np.arange(n), abs=1e-3)
    assert float(VP().level(t)[-1]) == 999


@pytest.mark.parametrize("sde", DISCRETE, ids=lambda s: type(s).__name__)
def test_a_network_that_knows_the_levels_by_number_has_no_loss_on_zeros(sde):
    n = sde.num_scales
    if sde.name == "ve":
        levels = torch.linspace(math.log(50.0), math.log(0.01), n).exp()
        sign = -1
    else:
        levels = (1 - torch.cumprod(1 - torch.linspace(0.1 / n, 20 / n, n).double(), 0)).sqrt()
        sign = 1  # SMLD's network predicts -z, DDPM's z
    seen = []

    def run(x, label):
        seen.append(label)
        return sign * x / over(levels[label.round().long()]).float()

    torch.manual_seed(0)
    (loss,) = training_loss(run, sde, torch.zeros(500, 1, 2, 2))
    assert float(loss) < 1e-6
    assert len(torch.unique(seen[0].round())) > 300  # of 1000, 500 drawn
    wrong = training_loss(
        lambda x, label: run(x, (label - 50).clamp(0)), sde, torch.zeros(500, 1, 2, 2)
    )
    assert float(next(iter(wrong))) > 1e-3


@all_processes
def test_times_of_training(sde):
    u = torch.linspace(0, 1 - 2**-24, 100_000)
    t = sde.draw_time(u)
    assert float(t.max()) == pytest.approx(1)
    if sde in DISCRETE:
        values, counts = torch.unique(t, return_counts=True)
        assert torch.allclose(values, torch.arange(1000) / 999)
        assert counts.min() >= 99
        assert counts.max() <= 101
    else:
        assert float(t.min()) == pytest.approx(1e-5)
        assert float(t.mean()) == pytest.approx(0.5, abs=1e-3)


def test_a_header_without_num_scales_is_continuous():
    assert make("ve", {"sigma_min": 0.02, "sigma_max": 7.0}) == VE(0.02, 7.0)
    assert make("vp", {"beta_min": 0.1, "beta_max": 20.0}) == VP()
    assert make("subvp", {"beta_min": 0.1, "beta_max": 20.0}) == SubVP()
    assert make("ve", {"sigma_min": 0.02, "sigma_max": 7.0, "num_scales": 9}).level(
        torch.tensor([0.0, 1.0])
    ).tolist() == [8, 0]
    assert isinstance(make("vp", {"beta_min": 0.1, "beta_max": 20.0, "num_scales": 9}), DDPM)


@pytest.mark.parametrize("sde", DISCRETE, ids=lambda s: type(s).__name__)
def test_nearest_level_is_a_level(sde):
    t = torch.arange(1000).double() / 999
    m, std = sde.marginal(t)
    levels = std / m
    for sigma in (0.013, 0.5, 3.3, 40.0):
        near = sde.nearest(sigma)
        assert float((levels / near).log().abs().min()) < 1e-6
        assert abs(math.log(near / sigma)) <= float((levels / sigma).log().abs().min()) + 1e-9
        at = sde.time(torch.tensor([near]).double())
        m_at, std_at = sde.marginal(at)
        assert float(std_at / m_at) == pytest.approx(near)
