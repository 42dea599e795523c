"""The flow: exactly invertible, a density, a bound from below, and bits that can be checked."""

import math

import numpy as np
import pytest
import torch

from nearnd.generators.dense_flow import build
from nearnd.networks.dense_block import DenseNet
from nearnd.networks.dense_flow import Block, DenseFlow
from nearnd.networks.dequantisation import Variational, log_normal
from nearnd.networks.glow import glow_steps, start

TOY = {"units": [3, 2], "modules": [2, 2], "growth": 4, "width": 8, "layers": 2, "layer_growth": 8}


def away(net, by):
    """The network in float64 with weights of which no layer begins as nothing."""
    net = net.double()
    for p in net.parameters():
        p.data += by * torch.randn_like(p)
    return net


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def small_net(channels, out):
    return DenseNet(channels, out, 4, 1, 4)


def images(n, size=8, channels=1, dtype=torch.float64):
    return torch.randint(0, 256, (n, channels, size, size)).to(dtype) / 255


@pytest.mark.parametrize(("dtype", "near"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize(("size", "channels"), [(8, 1), (32, 3)])
def test_the_flow_inverts_and_puts_bytes_back(dtype, near, size, channels):
    net = DenseFlow(size, channels, **TOY, variational=[4, 1, 4])
    image = images(4, size, channels, torch.float32)
    noise = torch.randn(4, net.pixels + net.noise)
    with torch.no_grad():
        start(net, *net.spread(image, noise)[:2])
        net = away(net, 0.02).to(dtype)
        x, e, _ = net.spread(image.to(dtype), noise.to(dtype))
        z, _ = net(x, e)
        back, noise_back = net.inverse(z)
        assert z.shape == (4, net.latent)
        assert float((back - x).abs().max()) < near
        assert float((noise_back - e).abs().max()) < near
        cells = (256 * (x + 0.5)).floor() / 255
        assert torch.allclose(cells.float(), image)
        if dtype == torch.float64:
            assert torch.allclose(net.images(z).float(), image)


def test_the_log_determinant_is_that_of_the_jacobian():
    net = away(DenseFlow(8, 1, **TOY), 0.05)
    x, e = torch.randn(1, 64).double(), torch.randn(1, net.noise).double()

    def mapped(v):
        return net(v[:, :64].view(1, 1, 8, 8), v[:, 64:])[0]

    jacobian = torch.autograd.functional.jacobian(mapped, torch.cat([x, e], 1))[0, :, 0]
    found = net(x.view(1, 1, 8, 8), e)[1]
    assert found.item() == pytest.approx(float(torch.linalg.slogdet(jacobian)[1]), abs=1e-8)
    assert abs(found.item()) > 1  # not that of a flow that does nothing


def test_the_variational_dequantisation_stays_in_the_cell_and_knows_its_density():
    q = away(Variational(1, 4, 1, 4), 0.2)
    x, eps = images(3, 4), torch.randn(3, 1, 4, 4).double()
    u, log_q = q(x, eps)
    assert ((u > 0) & (u < 1)).all()
    jacobian = torch.autograd.functional.jacobian(lambda e: q(x[:1], e)[0], eps[:1])
    log_det = torch.linalg.slogdet(jacobian.reshape(16, 16))[1]
    assert log_q[0].item() == pytest.approx((log_normal(eps[:1]) - log_det).item(), abs=1e-8)


def grid(points, far):
    axis = torch.linspace(-far, far, points, dtype=torch.float64)
    return axis, float(axis[1] - axis[0])


@torch.no_grad()
def test_glow_is_a_density_on_the_plane():
    steps = away(glow_steps(2, 3, small_net), 0.15)
    axis, cell = grid(241, 12)
    x = torch.cartesian_prod(axis, axis).view(-1, 2, 1, 1)
    z, log_det = steps(x)
    total = (log_normal(z) + log_det).exp().sum() * cell**2
    assert float(total) == pytest.approx(1, abs=1e-3)
    assert float(log_det.std()) > 0.1  # no linear map


@pytest.fixture(scope="module")
def grown():
    """A block that puts one channel of noise beside two of the data."""
    torch.manual_seed(1)
    return away(Block(2, 2, 2, 1, small_net), 0.15)


def exact(block, x, points=401, far=12):
    """log p(x) (n,) of x (n, 2, 1, 1): the integral over the noise by quadrature."""
    axis, cell = grid(points, far)
    n = len(x)
    e = axis.repeat(n).view(-1, 1, 1, 1)
    z, log_det = block(x.repeat_interleave(points, 0), e)
    joint = (log_normal(z) + log_det).view(n, points)  # of x and e, under the model
    return joint.logsumexp(1) + math.log(cell)


@torch.no_grad()
def test_noise_between_units_leaves_a_density(grown):
    axis, cell = grid(41, 7)
    x = torch.cartesian_prod(axis, axis).view(-1, 2, 1, 1)
    assert float(exact(grown, x, 41, 7).exp().sum() * cell**2) == pytest.approx(1, abs=2e-3)


@torch.no_grad()
def test_the_bound_is_below_the_likelihood_and_rises_to_it(grown):
    x = torch.randn(20, 2, 1, 1).double()
    truth = exact(grown, x)  # (20,)
    many = 4096
    e = torch.randn(20 * many, 1, 1, 1).double()
    z, log_det = grown(x.repeat_interleave(many, 0), e)
    bound = (log_normal(z) + log_det - log_normal(e)).view(20, many)

    def by(k):  # noises for each estimate: the mean over images of how far it is below the truth
        estimate = bound.view(20, -1, k).logsumexp(2) - math.log(k)
        return float((truth - estimate.mean(1)).mean())

    gaps = [by(k) for k in (1, 8, 64, 512)]
    assert gaps[0] > 0.1
    assert gaps == sorted(gaps, reverse=True)
    assert 0 < gaps[-1] < 0.03


@pytest.mark.parametrize("variational", [None, [4, 1, 4]])
def test_bytes_of_noise_have_eight_bits(variational):
    """No model gives them fewer on average. A flow that starts makes Gaussians of uniform numbers,
    which costs log2(2 pi e / 12) / 2 more."""
    net = DenseFlow(8, 3, **TOY, variational=variational).double()
    image = images(300, 8, 3)
    noise = torch.randn(300, net.pixels + net.noise).double()
    with torch.no_grad():
        start(net, *net.spread(image, noise)[:2])
        at_start = float(net.bits_per_dim(image, noise).mean())
        moved = float(away(net, 0.03).bits_per_dim(image, noise).mean())
    if variational is None:
        assert at_start == pytest.approx(8 + math.log2(2 * math.pi * math.e / 12) / 2, abs=0.01)
    assert min(at_start, moved) > 8


def stripes(n, levels=4):
    """Images of a known entropy: each row has one of so many grey levels."""
    rng = np.random.default_rng(0)
    rows = rng.integers(0, levels, (n, 8, 1, 1)) * (255 // (levels - 1))
    return np.broadcast_to(rows, (n, 8, 8, 1)).astype(np.uint8)


def test_training_lowers_the_bits_and_the_facts_say_so(tmp_path, monkeypatch):
    monkeypatch.setenv("NEARND_DEVICE", "cpu")
    generator = build(
        **TOY | {"units": [2, 2], "modules": [1, 1]}, variational=None, batch=16, steps=24,
        snapshots=[1, 24], lr=5e-3, warmup=5, last_steps=5, last_lr=5e-4, flip=False, shift=0,
    )  # fmt: skip
    found, told = [], []
    pixels = stripes(64)
    generator.train(
        pixels, seed=0, folder=tmp_path,
        monitor=lambda step, file: found.append(generator.facts(file, pixels)["bits_per_dim"]),
        progress=lambda step, total, bits_per_dim: told.append(bits_per_dim),
    )  # fmt: skip
    assert found[1] < found[0] - 0.5
    assert found[0] == pytest.approx(told[0], abs=0.5)
    assert found[1] == pytest.approx(np.mean(told[-3:]), abs=0.3)
    assert found[1] > 8 * math.log2(4) / 64


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"units": [1, 1]}, r"units is \[1, 1\], modules \[5, 6, 20\]: both say something of each"),
        ({"variational": [64, 4]}, r"variational is \[64, 4\]; it may be three numbers, width,"),
        ({"last_steps": 400_000}, "last_steps is 400000; it may be a number below steps: 328440"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        build(**options)


def test_a_size_that_cannot_be_halved_is_refused():
    with pytest.raises(ValueError, match="images of 28 pixels cannot be halved 3 times"):
        build().network(28, 1)
