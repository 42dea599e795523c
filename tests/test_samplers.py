"""The samplers, on scores that are known in closed form and on numbers of the public code."""

import math
from itertools import pairwise
from typing import get_args

import numpy as np
import pytest
import torch
from reference import CONTINUOUS, DISCRETE, all_processes, close, gaussian_score, numbers, processes

from nearnd import config, plugins
from nearnd.generators._noise import ImageNoise
from nearnd.generators._sde import VE, VP, SubVP, over
from nearnd.generators.score_sde import build

HERE = torch.device("cpu")


def draw(sde, score, noise, kind, **settings):
    return plugins.build("samplers", {"kind": kind, **settings})(sde, score, noise)


def check(entry, sde, continuous=True):
    """As the check of a config and a generator of this SDE do."""
    if isinstance(entry, dict) and "kind" in entry:
        plugins.check_entry("samplers", "", entry)
    build(sampler=entry, sde=sde, continuous=continuous)


def noise_of(n, shape=(1, 4, 4), first=0):
    return ImageNoise(np.arange(first, first + n), shape, HERE)


def test_predictors_and_correctors_agree_with_the_reference():
    z, toy = numbers("sampler.npz"), float(numbers("sde.npz")["toy_s0"])
    runs = [key for key in z if not key.endswith("noise")]
    assert runs
    for run in runs:
        name, predictor, corrector = run.split("__")
        sde = {s.name: s for s in CONTINUOUS}[name]
        needed = 26 if corrector == "none" else 51  # the prior's, and one or two in each step
        noise = z[run + "__noise" if run + "__noise" in z else "noise"]
        draws = iter(noise[:needed])
        settings = {"predictor": predictor.removesuffix("_sampling"), "corrector": corrector}
        if corrector != "none":
            settings["snr"] = 0.16
        if corrector == "langevin":
            settings["norms"] = "batch"
        check({"kind": "pc", "steps": 25, **settings}, name)
        got = draw(
            sde, gaussian_score(sde, toy), lambda d=draws: next(d), "pc", steps=25, **settings
        )
        assert next(draws, None) is None, f"{run}: fewer draws than the reference"
        close(got, z[run])


# --- the exact score of a Gaussian ---------------------------------------------------------------

# settings -> how near the law is: every predictor and corrector stands here; with what is usual the
# contract tests draw
LAWFUL = {
    "pc-batch": ({"kind": "pc", "steps": 300, "norms": "batch"}, 0.06),
    "pc-ald": ({"kind": "pc", "steps": 300, "corrector": "ald", "snr": 0.1}, 0.06),
    "pc-euler": (
        {"kind": "pc", "steps": 600, "predictor": "euler_maruyama", "corrector": "none"},
        0.06,
    ),
    "pc-ancestral": (
        {"kind": "pc", "steps": 300, "predictor": "ancestral", "corrector": "none"},
        0.04,
    ),
    "pc-flow": ({"kind": "pc", "steps": 900, "corrector": "none", "probability_flow": True}, 0.04),
    "pc-euler-flow": (
        {"kind": "pc", "steps": 600, "predictor": "euler_maruyama", "corrector": "none",
         "probability_flow": True},
        0.04,
    ),
    "langevin": (
        {"kind": "pc", "steps": 150, "predictor": "none", "corrections": 10, "snr": 0.2},
        0.1,
    ),
    "heun-churn": ({"kind": "heun", "steps": 60, "churn": 10.0}, 0.03),
    "dpm_solver-sde": ({"kind": "dpm_solver", "steps": 60, "eta": 1.0}, 0.03),
}  # fmt: skip


def allowed(entry, sde):
    """Whether a sampler is defined for a process."""
    try:
        process = {"sde": sde.name, "continuous": sde not in DISCRETE}
        plugins.call("samplers", entry | process, "check")
    except ValueError:
        return False
    return True


@all_processes
@pytest.mark.parametrize("name", LAWFUL)
def test_exact_score_of_a_gaussian_gives_back_its_law(sde, name):
    entry, near = LAWFUL[name]
    if not allowed(entry, sde):
        pytest.skip(f"{name} is not defined for {type(sde).__name__}")
    mean, s0 = 0.5, 0.25
    x = draw(sde, gaussian_score(sde, s0, mean), noise_of(100, (3, 8, 8)), **entry)
    assert x.dtype == torch.float32
    assert x.shape == (100, 3, 8, 8)
    assert float(x.mean()) == pytest.approx(mean, abs=0.02)
    assert float(x.std()) == pytest.approx(s0, rel=near)


def test_every_predictor_and_corrector_is_tested():
    settings = [entry for entry, _ in LAWFUL.values() if entry["kind"] == "pc"]
    for name in ("predictor", "corrector"):
        known, default = plugins.types("samplers", "pc")[name], plugins.defaults("samplers", "pc")
        assert {entry.get(name, default[name]) for entry in settings} == set(get_args(known))


def exact_flow(sde, z, s0, sigma):
    """Where the probability-flow ODE leads from the highest noise level to `sigma`, for N(0, s0^2),
    in units x / m: it only scales."""
    high = sde.noise_range()[1]
    return high * z.double() * math.sqrt((s0**2 + sigma**2) / (s0**2 + high**2))


@processes
@pytest.mark.parametrize("kind", ["heun", "dpm_solver"])
def test_order_of_convergence_is_two(sde, kind):
    s0, z = 0.25, noise_of(4)()
    low = sde.noise_range()[0]
    end = exact_flow(sde, z, s0, low) * s0**2 / (s0**2 + low**2)  # the last step returns D
    errors = [
        float((draw(sde, _in_double(sde, s0), lambda: z, kind, steps=n) - end).abs().max())
        for n in (40, 80, 160)
    ]
    orders = [math.log2(a / b) for a, b in pairwise(errors)]
    assert all(1.9 < order < 2.3 for order in orders), (errors, orders)


@pytest.mark.parametrize("predictor", ["euler_maruyama", "reverse_diffusion"])
def test_order_of_convergence_of_the_predictors_is_one(predictor):
    sde, s0, z = VE(0.01, 50.0), 0.25, noise_of(4)()
    end = exact_flow(sde, z, s0, 0.01)
    settings = {"predictor": predictor, "corrector": "none", "probability_flow": True}
    errors = [
        float(
            (draw(sde, _in_double(sde, s0), lambda: z, "pc", steps=n, **settings) - end).abs().max()
        )
        for n in (200, 400, 800)
    ]
    orders = [math.log2(a / b) for a, b in pairwise(errors)]
    assert all(0.9 < order < 1.1 for order in orders), (errors, orders)


@processes
@pytest.mark.parametrize("tolerance", [1e-3, 1e-5])
def test_the_adaptive_solver_keeps_its_tolerance(sde, tolerance):
    s0, z = 0.25, noise_of(64)()
    m, std = (float(a) for a in sde.marginal(torch.tensor([sde.eps]).double()))
    m1, std1 = (float(a) for a in sde.marginal(torch.ones(1).double()))
    # its start is the prior, whose deviation is not quite that of x_1
    ratio = math.sqrt((std**2 + (m * s0) ** 2) / (std1**2 + (m1 * s0) ** 2))
    end = sde.prior_std * z.double() * ratio
    got = draw(sde, _in_double(sde, s0), lambda: z, "ode", tolerance=tolerance, denoise=False)
    assert float((got - end).abs().max()) < 10 * tolerance


def _in_double(sde, s0):
    """The exact score without the rounding of times and images to float32."""

    def score(x, t):
        m, std = (over(a) for a in sde.marginal(t.double()))
        return -x.double() / ((s0 * m) ** 2 + std**2)

    return score


# --- what an image depends on, and what it costs (the usual settings: test_contracts.py) ----------

CHEAP = {
    "pc": {"kind": "pc", "steps": 25},
    "ald": {"kind": "pc", "steps": 25, "corrector": "ald"},
    "ancestral": {"kind": "pc", "steps": 25, "predictor": "ancestral", "corrector": "none"},
    "flow": {"kind": "pc", "steps": 25, "corrector": "none", "probability_flow": True},
    "ode": {"kind": "ode", "tolerance": 1e-3},
    "heun": {"kind": "heun", "steps": 6},
    "heun-churn": {"kind": "heun", "steps": 6, "churn": 2.0},
    "dpm_solver": {"kind": "dpm_solver", "steps": 6},
    "dpm_solver-sde": {"kind": "dpm_solver", "steps": 6, "eta": 1.0},
}


def mixture_score(sde):
    """The exact score of two narrow Gaussians at -1 and 1 in every pixel: stiff, not linear."""

    def score(x, t):
        m, std = (over(a) for a in sde.marginal(t))
        v = std**2 + (0.1 * m) ** 2
        return (m * torch.tanh(m * x / v) - x) / v

    return score


@processes
@pytest.mark.parametrize(
    "name", [name for name in CHEAP if name not in plugins.available("samplers")]
)
def test_an_image_does_not_depend_on_its_batch(sde, name):
    if not allowed(CHEAP[name], sde):
        pytest.skip(f"{name} is not defined for {sde.name}")
    whole = draw(sde, mixture_score(sde), noise_of(6), **CHEAP[name])
    for i in (0, 5):
        alone = draw(sde, mixture_score(sde), noise_of(1, first=i), **CHEAP[name])
        assert torch.allclose(alone[0], whole[i], rtol=1e-5, atol=1e-6)
    assert not torch.allclose(whole[0], whole[1])


def test_batch_norms_are_the_exception():
    sde = VE(0.01, 5.0)
    score = mixture_score(sde)
    settings = {"kind": "pc", "steps": 10, "norms": "batch"}
    first = draw(sde, score, noise_of(1), **settings)[0]
    assert not torch.allclose(first, draw(sde, score, noise_of(2), **settings)[0])


def calls(sde, entry, n=3):
    count = 0

    def score(x, t):
        nonlocal count
        count += len(x) == n  # the pilot of the adaptive solver has 8 images
        assert len(t) == 1  # all images are at the same time and share its features
        return mixture_score(sde)(x, t)

    draw(sde, score, noise_of(n), **entry)
    return count


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"kind": "pc", "steps": 30}, 60),
        ({"kind": "pc", "steps": 30, "corrections": 3}, 120),
        ({"kind": "pc", "steps": 30, "predictor": "none", "corrections": 3}, 90),
        ({"kind": "pc", "steps": 30, "predictor": "ancestral", "corrector": "none"}, 30),
        ({"kind": "heun", "steps": 18}, 35),
        ({"kind": "heun", "steps": 2}, 3),
        ({"kind": "heun", "steps": 1}, 1),
        ({"kind": "heun", "steps": 18, "churn": 5.0}, 35),
        ({"kind": "dpm_solver", "steps": 18}, 18),
        ({"kind": "dpm_solver", "steps": 1}, 1),
        ({"kind": "dpm_solver", "steps": 18, "eta": 1.0}, 18),
    ],
    ids=str,
)
@processes
def test_network_calls(sde, entry, expected):
    if not allowed(entry, sde):
        pytest.skip(f"not defined for {sde.name}")
    assert calls(sde, entry) == expected


def test_the_adaptive_solver_takes_more_calls_for_more_accuracy():
    loose, tight = (calls(VE(), {"kind": "ode", "tolerance": t}) for t in (1e-3, 1e-6))
    assert 60 < loose < tight
    assert loose % 6 == tight % 6 == 1


def test_a_score_that_is_no_number_ends_the_adaptive_solver():
    with pytest.raises(FloatingPointError, match="sampler: kind ode"):
        draw(VE(), lambda x, t: x * math.nan, noise_of(2), "ode")


def test_the_last_step_returns_the_denoised_image():
    """For data in one point every sampler must end in it, whatever came before."""
    for sde in (VE(), VP(), SubVP()):
        at_half = gaussian_score(sde, 0.0, mean=0.5)
        for name in ("heun", "heun-churn", "dpm_solver", "dpm_solver-sde", "ode"):
            x = draw(sde, at_half, noise_of(2), **CHEAP[name])
            assert torch.allclose(x, torch.full_like(x, 0.5), atol=1e-3), (sde.name, name)


# --- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "sde", "words"),
    [
        ("pc", "ve", r"sampler is 'pc'; it may be \{kind"),
        ({"steps": 3}, "ve", "with a kind out of dpm_solver, heun, ode, pc"),
        ({"kind": "huen"}, "ve", "unknown kind 'huen'; there is .* Did you mean 'heun'"),
        ({"kind": "heun", "steps": 0}, "ve", "steps is 0; it may be a whole number from 1"),
        ({"kind": "heun", "steps": 1.5}, "ve", "steps is 1.5"),
        ({"kind": "heun", "churn": -1}, "ve", "churn is -1; it may be a number from 0"),
        ({"kind": "pc", "denoise": 1}, "ve", "denoise is 1; it may be true or false"),
        ({"kind": "pc", "corrector": "none", "snr": 0.1}, "ve", "snr does not go with corrector"),
        ({"kind": "pc", "corrector": "ald", "norms": "batch"}, "ve", "norms does not go with"),
        ({"kind": "pc", "predictor": "none", "corrector": "none"}, "ve", "predictor: none"),
        (
            {"kind": "pc", "predictor": "euler"},
            "ve",
            "predictor is 'euler'; it may be reverse_diffusion or",
        ),
        ({"kind": "pc", "predictor": "ancestral"}, "subvp", "it goes with sde: ve or vp"),
        ({"kind": "heun", "rho": float("inf")}, "ve", "rho is inf; it may be a number above 0"),
        (
            {"kind": "pc", "predictor": "ancestral", "probability_flow": True},
            "ve",
            "goes with probability_flow: false",
        ),
    ],
    ids=str,
)
def test_settings_that_a_sampler_has_no_use_for_are_refused(entry, sde, words):
    with pytest.raises(ValueError, match=words):
        check(entry, sde)


def test_vp_needs_more_levels_than_beta():
    with pytest.raises(ValueError, match=r"20 noise levels would be too long: take more than 20"):
        draw(VP(), mixture_score(VP()), noise_of(1), "pc", steps=20)


def test_an_adaptive_solver_needs_a_network_of_all_times():
    check({"kind": "ode"}, "ve")
    with pytest.raises(ValueError, match="goes with continuous: true"):
        check({"kind": "ode"}, "ve", continuous=False)


def test_a_change_of_a_sampler_runs_its_generators_again(monkeypatch):
    """The digest of an entry covers the kinds of the entries in it, whether named or not."""
    entries = {
        "samplers": {"fast": {"kind": "heun"}},
        "generators": {
            "named": {"kind": "score_sde", "sampler": "fast"},
            "inline": {"kind": "score_sde", "sampler": {"kind": "heun", "steps": 3}},
            "usual": {"kind": "score_sde"},
            "read": {"kind": "checkpoint", "model": "named"},
            "other": {"kind": "score_sde", "sampler": {"kind": "dpm_solver"}},
        },
    }
    digest = plugins.digest

    def digests():
        return {name: config.digest(entries, "generators", name) for name in entries["generators"]}

    before = digests()
    edited = ("samplers", "heun")
    monkeypatch.setattr(plugins, "digest", lambda *a: digest(*a) + "'" * (a == edited))
    changed = {name for name, found in digests().items() if found != before[name]}
    assert changed == {"named", "inline", "usual", "read"}
