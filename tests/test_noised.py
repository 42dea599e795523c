"""Images that are noised and drawn back: their law, what is left of them, whose they are."""

import math

import numpy as np
import pytest
import torch
from reference import all_processes, gaussian_score, processes

from nearnd import plugins
from nearnd.generators._below import Below, on
from nearnd.generators._data import to_float
from nearnd.generators._noise import ImageNoise
from nearnd.generators.score_sde import build

HERE = torch.device("cpu")


def back(sde, x0, strength, kind, s0, **settings):
    """x0 (N, C, H, W), noised and drawn back with the exact score of N(0, s0^2)."""
    below = Below(sde, strength)
    noise = on(ImageNoise(np.arange(len(x0)), tuple(x0.shape[1:]), HERE), x0, below.highest)
    entry = {"kind": kind, **settings}
    drawn = plugins.build("samplers", entry)(below, gaussian_score(sde, s0, 0.0), noise)
    return drawn, below.highest


@all_processes
@pytest.mark.parametrize("kind", ["heun", "dpm_solver"])
def test_images_of_the_law_stay_in_it_and_keep_what_the_noise_leaves(sde, kind):
    """By the ODE all is linear: x0 + sigma z is correlated with x0 by s0 / sqrt(s0^2 + sigma^2),
    and so is what comes back, whose deviation is s0."""
    s0 = 0.25
    x0 = s0 * torch.from_numpy(np.random.default_rng(9).standard_normal((60, 3, 8, 8))).float()
    for strength in (0.05, 0.3):
        found, sigma = back(sde, x0, strength, kind, s0, steps=60)
        kept = s0 / math.sqrt(s0**2 + sigma**2)
        assert float(found.std()) == pytest.approx(s0, rel=0.03)
        correlation = np.corrcoef(found.flatten(), x0.flatten())[0, 1]
        assert correlation == pytest.approx(kept, abs=0.02)


@processes
def test_the_scale_is_that_of_pixels(sde):
    """A strength is a share of the range of pixels, which is 2 wide in a centred SDE."""
    assert Below(sde, 0.25).highest == pytest.approx(0.5 if sde.centered else 0.25, rel=0.02)
    low, high = sde.noise_range()
    scale = 2 if sde.centered else 1
    for wrong in (0.0, low / scale / 2, high / scale * 1.01):
        with pytest.raises(ValueError, match="this generator's noise goes from"):
            Below(sde, wrong)


@processes
@pytest.mark.parametrize("kind", ["pc", "ode"])
def test_a_sampler_that_goes_out_from_noise_alone_is_refused(sde, kind):
    with pytest.raises(ValueError, match="in steps of the noise level"):
        back(sde, torch.zeros(2, 1, 4, 4), 0.3, kind, 0.25)


def trained(tmp_path):
    """A generator that has seen a little of 16 images, and its snapshot."""
    pixels = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 1)).astype(np.uint8)
    small = {"nf": 16, "channel_mult": [1], "blocks": 1, "attention": [], "steps": 4}
    model = build(**small, snapshots=[4], sampler={"kind": "dpm_solver", "steps": 6, "eta": 1})
    model.train(
        pixels, seed=0, folder=tmp_path, monitor=lambda *_: False, progress=lambda *_, **__: None
    )
    return model, next(tmp_path.glob("step*")), pixels


def test_an_image_depends_on_its_own_image_and_seed_alone(tmp_path):
    model, snapshot, pixels = trained(tmp_path)
    seeds = np.arange(5, dtype=np.uint64)
    all_of_them = model.noised(snapshot, seeds, pixels[:5], 0.4)
    assert all_of_them.shape == (5, 8, 8, 1)
    assert all_of_them.dtype == np.uint8
    alone = model.noised(snapshot, seeds[3:4], pixels[3:4], 0.4)
    assert np.abs(alone[0].astype(int) - all_of_them[3]).max() <= 1  # sums in another order
    other = model.noised(snapshot, seeds, pixels[5:10], 0.4)
    assert (other != all_of_them).any(axis=(1, 2, 3)).all()
    little = model.noised(snapshot, seeds, pixels[:5], 0.02)
    away = float((to_float(little, HERE, False) - to_float(pixels[:5], HERE, False)).abs().mean())
    far = float(
        (to_float(all_of_them, HERE, False) - to_float(pixels[:5], HERE, False)).abs().mean()
    )
    assert away < far / 2


def test_each_normal_image_is_used_before_any_comes_again():
    seen = []

    def noised(file, seeds, images, strength):
        seen.append((file.stem, strength, images[:, 0, 0, 0].tolist()))
        return images

    fakes = plugins.build("fakes", {"kind": "noised", "stop": {"step": [2, 4]}, "strength": 0.7})
    rows = [{"step": s, "frechet": 1.0} for s in (2, 4)]
    normal = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 1), np.uint8)
    found, facts = fakes.draw(
        10, seed=1, normal=normal, noised=noised, snapshots="x", fidelity=rows
    )
    assert sorted(found[:5, 0, 0, 0]) == sorted(found[5:, 0, 0, 0]) == [0, 1, 2, 3, 4]
    assert facts["strength"] == 0.7
    assert [name for name, *_ in seen] == ["step0000002", "step0000004"]
    assert [*found[::2, 0, 0, 0]] == seen[0][2]
    again, _ = fakes.draw(10, seed=1, normal=normal, noised=noised, snapshots="x", fidelity=rows)
    assert (again == found).all()
