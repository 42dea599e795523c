"""Generators on latent variables: bounds and laws of their losses, and what they all share."""

import numpy as np
import pytest
import torch

from nearnd.files.arrays import load_tensors, save_tensors
from nearnd.generators import vae
from nearnd.generators._noise import ImageNoise
from nearnd.networks.variational import Decoder, from_normal, log_gaussian

TINY = vae.TOY | {"flip": False}
SEEDS = np.array([3, 2**40 + 3, 9, 8, 7], np.uint64)


@pytest.fixture(autouse=True)
def on_cpu(monkeypatch):
    monkeypatch.setenv("NEARND_DEVICE", "cpu")


@pytest.fixture
def snapshot(tmp_path):
    """The first of a training on images of 8 pixels, in colour."""
    pixels = np.random.default_rng(0).integers(0, 256, (9, 8, 8, 3)).astype(np.uint8)
    files = []
    vae.build(**TINY).train(
        pixels, seed=1, folder=tmp_path, monitor=lambda step, file: bool(files.append(file)) or True
    )
    return files[0]


# ---- what they share ----


def test_the_bytes_of_an_image_do_not_depend_on_how_many_are_drawn(snapshot):
    """With a network wide enough that its products are rounded by the number of their rows."""
    arrays, facts = load_tensors(snapshot)
    torch.manual_seed(0)
    wide = facts["network"] | {"size": 16, "widths": [64, 128, 256][:2], "hidden": 512, "code": 64}
    arrays = {name: 3 * w.numpy() for name, w in Decoder(**wide).state_dict().items()}
    save_tensors(snapshot, arrays, kind="vae", network=wide, step=1)
    seeds = np.arange(70, dtype=np.uint64)
    whole = vae.build().sample(snapshot, seeds)
    for n in (1, 5, 64):
        assert (vae.build().sample(snapshot, seeds[-n:]) == whole[-n:]).all()
    assert vae.build().sample(snapshot, seeds[:0]).shape == (0, 16, 16, 3)


def test_draws_of_any_shape_belong_to_their_seeds():
    cpu = torch.device("cpu")
    noise, alone = ImageNoise(SEEDS, (), cpu), ImageNoise(SEEDS[1:2], (), cpu)
    for shape in ((4,), (2, 3, 3)):
        assert torch.equal(noise(*shape)[1], alone(*shape)[0])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"widths": [4, 4]}, "2 widths are of 16"),
        ({"code": 4}, "parameter.0.weight is"),
        ({"code": 10**6}, "does not hold the weights it names"),
        ({"code": 2**60}, "does not say what it should"),
        ({"widths": "../../etc"}, "does not say what it should"),
        ({"size": 10**9}, "does not say what it should"),
        ({"colour": 1}, "colour"),
        ({"likelihood": "poisson"}, "likelihood"),
    ],
)
def test_a_damaged_header_is_refused_before_memory_is_taken(snapshot, change, words):
    arrays, facts = load_tensors(snapshot)
    facts["network"] = facts["network"] | change
    save_tensors(snapshot, arrays, **facts)
    with pytest.raises(ValueError, match=words) as error:
        vae.build().sample(snapshot, SEEDS)
    assert str(snapshot) in str(error.value)


def test_other_files_are_not_snapshots(tmp_path):
    save_tensors(tmp_path / "a.safetensors", {"x": np.zeros(3)}, kind="score_sde")
    with pytest.raises(ValueError, match="not a snapshot of a vae generator"):
        vae.build().sample(tmp_path / "a.safetensors", SEEDS)


@pytest.mark.parametrize(
    ("shape", "option", "words"),
    [
        ((4, 8, 6, 1), {}, "square"),
        ((0, 8, 8, 1), {}, "square"),
        ((4, 12, 12, 1), {}, "these have 12 pixels"),
        ((4, 4, 4, 1), {}, "these have 4 pixels"),
        ((4, 32, 32, 1), {}, r"widths is \[4, 4\]; images of 32 pixels need 3"),
        ((4, 8, 8, 1), {"snapshots": [50]}, "none is a step from 1 to steps: 12"),
    ],
)
def test_what_cannot_be_trained_is_said(tmp_path, shape, option, words):
    with pytest.raises(ValueError, match=words):
        vae.build(**TINY | option).train(
            np.zeros(shape, np.uint8), seed=0, folder=tmp_path, monitor=lambda s, f: None
        )


# ---- VAE ----


def test_the_bound_is_below_the_likelihood_of_a_linear_gaussian_and_reaches_it():
    """x = W z + b + sigma e, the columns of W orthogonal, so that the posterior is diagonal. The
    mean over q of the log-likelihood, quadratic in z, is that over 2 L points, exactly."""
    torch.manual_seed(0)
    d, code, sigma = 6, 3, torch.tensor(0.4)
    w = torch.linalg.qr(torch.randn(d, code))[0] * torch.tensor([2.0, 1.0, 0.3])  # (D, L)
    b, x = torch.randn(d), 2 * torch.randn(9, d)
    law = torch.distributions.MultivariateNormal(b, w @ w.T + sigma**2 * torch.eye(d))
    exact = law.log_prob(x)  # (N,)
    precision = (w.T @ w).diag() / sigma**2 + 1  # of the posterior, (L,)
    best = (x - b) @ w / sigma**2 / precision  # (N, L)

    def bound(mean, log_variance):
        axes = code**0.5 * torch.cat([torch.eye(code), -torch.eye(code)])  # (2 L, L)
        z = [mean + (log_variance / 2).exp() * axis for axis in axes]
        log_p = torch.stack([log_gaussian(x, one @ w.T + b, sigma.log()) for one in z]).mean(0)
        return log_p - from_normal(mean, log_variance)

    variance = -precision.log().expand(9, code)
    assert torch.allclose(bound(best, variance), exact, atol=1e-4)
    for mean, log_variance in (
        (best + 0.1, variance),
        (best, variance + 0.3),
        (best * 0.9, variance),
    ):
        assert (bound(mean, log_variance) < exact - 1e-3).all()
