"""The stochastic processes, their loss and their samplers, against closed forms and against numbers
of the public score_sde code."""

import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from nearnd.generators._heun import heun
from nearnd.generators._loss import denoising_loss
from nearnd.generators._noise import ImageNoise
from nearnd.generators._pc import predictor_corrector
from nearnd.generators._sde import SDES, VE, VP, SubVP, over

ROOT = Path(__file__).resolve().parents[1]
PARITY = Path(os.environ.get("NEARND_PARITY", ROOT.parent / "shared/fixtures/score_sde"))
ALL = [VE(0.01, 50.0), VP(), SubVP()]
names = pytest.mark.parametrize("sde", ALL, ids=lambda s: s.name)


def fixture(name):
    if not (PARITY / name).exists():
        pytest.skip(f"no {name} in {PARITY}; set NEARND_PARITY")
    return {key: torch.from_numpy(np.asarray(a)) for key, a in np.load(PARITY / name).items()}


def gaussian_score(sde, s0, mean=0.0):
    """The exact score of x_t when x_0 ~ N(mean, s0^2) in every pixel."""

    def score(x, t):
        m, std = (over(a) for a in sde.marginal(t))
        return -(x - m * mean) / ((s0 * m) ** 2 + std**2)

    return score


def close(got, expected, rel=1e-4):
    scale = expected.abs().max().clamp(min=1e-30)
    assert float((got - expected).abs().max() / scale) < rel


# --- numbers of the reference -------------------------------------------------------------------


@names
def test_process_agrees_with_the_reference(sde):
    z = fixture("sde.npz")
    x, t = z["x"], z["t"]
    ref = {k.removeprefix(sde.name + "_"): v for k, v in z.items() if k.startswith(sde.name + "_")}
    m, std = sde.marginal(t)
    close(over(m) * x, ref["mean"])
    close(std, ref["std"])
    drift, g = sde.drift(x, t), sde.diffusion(t)
    close(drift, ref["drift"])
    close(g, ref["diffusion"])
    f, G = sde.discrete(x, t, 1000)
    close(f, ref["f"])
    close(G, ref["G"])
    s = gaussian_score(sde, float(z["toy_s0"]))(x, t)
    for kind, share in (("rev", 1.0), ("ode", 0.5)):
        close(drift - share * over(g) ** 2 * s, ref[f"{kind}_drift"])
        close(f - share * over(G) ** 2 * s, ref[f"{kind}_f"])
    d, p = x[0].numel(), sde.prior_std
    logp = -d / 2 * math.log(2 * math.pi * p**2) - x.flatten(1).square().sum(1) / (2 * p**2)
    close(logp, ref["prior_logp"])


@names
@pytest.mark.parametrize("mean", [0, 1])
@pytest.mark.parametrize("likelihood", [0, 1])
def test_loss_agrees_with_the_reference(sde, mean, likelihood):
    z = fixture("loss.npz")

    def score(x, t):
        label = sde.level(t)
        out = 0.11 * x.sum(1, keepdim=True).expand_as(x) - 0.02
        return sde.score(out / over(1 + label), t)

    got = denoising_loss(
        score, sde, z["x"], z["t"], z["z"], mean=bool(mean), likelihood=bool(likelihood)
    )
    assert float(got) == pytest.approx(float(z[f"{sde.name}_mean{mean}_lw{likelihood}"]), rel=1e-4)


def test_samplers_agree_with_the_reference():
    z, toy = fixture("sampler.npz"), float(fixture("sde.npz")["toy_s0"])
    runs = [key for key in z if not key.endswith("__noise")]
    assert runs
    for run in runs:
        name, predictor, corrector = run.split("__")
        sde = {s.name: s for s in ALL}[name]
        draws = iter(z[run + "__noise"])
        got = predictor_corrector(
            sde,
            gaussian_score(sde, toy),
            lambda draws=draws: next(draws),
            steps=25,
            snr=0.16,
            predictor=predictor.removesuffix("_sampling"),
            corrector={"ald": "annealed"}.get(corrector, corrector),
            norms="batch",
        )
        assert next(draws, None) is None, f"{run}: fewer draws than the reference"
        close(got, z[run])


# --- closed forms -------------------------------------------------------------------------------


def test_constants():
    half, one = torch.tensor([0.5]).double(), torch.tensor([1.0]).double()
    assert float(VE(0.01, 50.0).marginal(half)[1]) == pytest.approx(math.sqrt(0.5))
    assert float(VP().marginal(half)[0]) == pytest.approx(0.281183, abs=1e-6)
    assert float(VP().marginal(one)[0]) == pytest.approx(0.0065716, abs=1e-7)
    assert float(SubVP().marginal(torch.tensor([1e-3]).double())[1]) == pytest.approx(
        1.0994e-4, rel=1e-4
    )


@names
def test_time_inverts_the_noise_level(sde):
    t = torch.linspace(0.01, 1, 50).double()
    m, std = sde.marginal(t)
    assert torch.allclose(sde.time(std / m), t, atol=1e-9)


@names
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


@names
def test_discrete_steps_add_up_to_the_marginal(sde):
    n = 1000
    mean, variance = torch.ones(1, 1, 1, 1).double(), 0.0
    for i in range(n):
        t = torch.tensor([(i + 0.01) / (n - 1)]).double().clamp(max=1.0)
        f, G = sde.discrete(mean, t, n)
        factor = 1 + f / mean
        mean, variance = mean + f, variance * float(factor) ** 2 + float(G) ** 2
    m, std = (float(a) for a in sde.marginal(torch.ones(1).double()))
    assert float(mean) == pytest.approx(m, rel=0.05)
    assert math.sqrt(variance) == pytest.approx(std, rel=0.01)


@names
def test_exact_score_minimises_the_loss(sde):
    torch.manual_seed(0)
    x = 0.3 * torch.randn(4000, 1, 2, 2)
    t, z = torch.rand(4000) * 0.9 + 0.05, torch.randn(4000, 1, 2, 2)
    exact = gaussian_score(sde, 0.3)
    best = denoising_loss(exact, sde, x, t, z, mean=True)
    for factor in (0.9, 1.1):
        assert (
            denoising_loss(lambda x, t, f=factor: f * exact(x, t), sde, x, t, z, mean=True) > best
        )
    nothing = denoising_loss(lambda x, t: 0 * x, sde, x, t, z, mean=False)
    assert float(nothing) == pytest.approx(0.5 * 4, rel=0.05)


SAMPLERS = {
    "pc": lambda sde, *a: predictor_corrector(sde, *a, steps=300, snr=0.16),
    "pc-batch": lambda sde, *a: predictor_corrector(sde, *a, steps=300, norms="batch"),
    "annealed": lambda sde, *a: predictor_corrector(
        sde, *a, steps=300, corrector="annealed", snr=0.1
    ),
    "euler": lambda sde, *a: predictor_corrector(
        sde, *a, steps=600, predictor="euler_maruyama", corrector="none"
    ),
    "heun": lambda sde, *a: heun(sde, *a, steps=40),
    "churned": lambda sde, *a: heun(sde, *a, steps=60, churn=10.0),
}


@names
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_exact_score_of_a_gaussian_gives_back_its_law(sde, sampler):
    mean, s0 = 0.5, 0.25
    seeds = np.arange(100)
    noise = ImageNoise(seeds, (3, 8, 8), torch.device("cpu"))
    x = SAMPLERS[sampler](sde, gaussian_score(sde, s0, mean), noise)
    assert float(x.mean()) == pytest.approx(mean, abs=0.02)
    assert float(x.std()) == pytest.approx(s0, rel=0.06)


def test_heun_tends_to_the_exact_flow():
    # For Gaussian data the flow only scales: x(0) = x(sigma) s0 / sqrt(s0^2 + sigma^2).
    sde, s0 = VE(0.01, 50.0), 0.25
    z = torch.randn(8, 1, 2, 2)
    exact = 50 * z * s0 / math.sqrt(s0**2 + 2500)
    errors = [
        float((heun(sde, gaussian_score(sde, s0), lambda: z, steps=n) - exact).abs().max())
        for n in (20, 40, 80)
    ]
    assert errors[2] < 0.01
    assert errors[0] > 2.5 * errors[1] > 2.5 * 2.0 * errors[2]


@pytest.mark.parametrize("steps", [2, 18])
def test_heun_calls_the_score_twice_a_step_less_one(steps):
    calls = []

    def score(x, t):
        calls.append(float(t[0]))
        return -x

    heun(VE(), score, lambda: torch.randn(1, 1, 2, 2), steps=steps)
    assert len(calls) == 2 * steps - 1
    assert calls[0] == pytest.approx(1)
    assert calls[-1] == pytest.approx(0, abs=1e-6)


def test_langevin_by_image_does_not_look_at_the_batch():
    sde, score = VE(0.01, 5.0), gaussian_score(VE(0.01, 5.0), 0.3)
    scale = torch.tensor([1.0, 30.0])[:, None, None, None]  # the second image has larger scores

    def first(norms, n):
        noise = ImageNoise(np.arange(n), (1, 4, 4), torch.device("cpu"))
        return predictor_corrector(
            sde, lambda x, t: score(x, t) * scale[:n], noise, steps=10, norms=norms
        )[0]

    assert torch.equal(first("image", 1), first("image", 2))
    assert not torch.allclose(first("batch", 1), first("batch", 2))


def test_ancestral_needs_a_known_posterior():
    noise = ImageNoise(np.arange(1), (1, 2, 2), torch.device("cpu"))
    with pytest.raises(ValueError, match="ancestral is not defined for sde: subvp"):
        predictor_corrector(SubVP(), lambda x, t: -x, noise, steps=3, predictor="ancestral")


def test_every_process_has_a_name_in_the_config():
    assert {name: s().name for name, s in SDES.items()} == {s: s for s in ("ve", "vp", "subvp")}
