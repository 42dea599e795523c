"""GAN and BigGAN: their losses, their layers, and what a snapshot keeps."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from nearnd import plugins
from nearnd.contracts import About
from nearnd.files.arrays import load_tensors
from nearnd.generators import biggan as kind
from nearnd.generators._adversarial import STANDING, play, stand
from nearnd.generators._noise import ImageNoise
from nearnd.networks import biggan, dcgan
from nearnd.networks.adversarial import HINGE, LOG_P, fixed

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def on_cpu(monkeypatch):
    monkeypatch.setenv("NEARND_DEVICE", "cpu")


@pytest.fixture(scope="module")
def nets():
    """Both of BigGAN's for 8 pixels, with orthogonal weights, bounded."""
    torch.manual_seed(0)
    shape = {"size": 8, "channels": 3, "nf": 2}
    return [biggan.Generator(**shape, latent=6, skip=True, attention=8), biggan.Critic(**shape)]


# ---- losses ----


@pytest.mark.parametrize("game", [LOG_P, HINGE])
def test_losses_pull_real_images_up_and_drawn_ones_down_and_the_generator_against_it(game):
    real, fake = (torch.linspace(-3, 3, 13).requires_grad_() for _ in range(2))
    game.tell(real, fake).backward()
    assert (real.grad <= 0).all()
    assert (fake.grad >= 0).all()
    assert real.grad[0] < 0 < fake.grad[-1]
    fake.grad = None
    game.fool(fake).backward()
    assert (fake.grad < 0).all()


def test_the_hinge_leaves_alone_what_is_beyond_the_margin():
    x = torch.tensor([-1.5, -0.5, 0.5, 1.5], requires_grad=True)
    HINGE.tell(x, x.detach()).backward()
    assert x.grad.tolist() == [-0.25, -0.25, -0.25, 0]
    x.grad = None
    HINGE.tell(x.detach(), x).backward()
    assert x.grad.tolist() == [0, 0.25, 0.25, 0.25]


def test_the_loss_does_not_saturate_where_all_are_found_out():
    """As log(1 - D) would: there, of logits of -20, its gradient is e^-20."""
    x = torch.full((4,), -20.0, requires_grad=True)
    LOG_P.fool(x).backward()
    assert x.grad.sum() == pytest.approx(-1)


def test_a_network_that_is_held_passes_gradients_on_and_gets_none(nets):
    x = torch.randn(2, 3, 8, 8, requires_grad=True)
    with fixed(nets[1]) as critic:
        critic(x).sum().backward()
    assert x.grad.abs().sum() > 0
    assert all(p.grad is None and p.requires_grad for p in nets[1].parameters())


# ---- layers ----


def test_weights_begin_orthogonal(nets):
    for net in nets:
        layers = biggan._layers(biggan.begun(copy.deepcopy(net), "orthogonal"))
        assert len(layers) > 5
        for layer in layers:
            w = layer.weight.flatten(1)  # (out, in)
            w = w if len(w) <= w.shape[1] else w.T
            assert torch.allclose(w @ w.T, torch.eye(len(w)), atol=1e-5)
            assert layer.bias is None or (layer.bias == 0).all()


def test_the_largest_singular_value_of_a_bounded_layer_is_1(nets):
    z, x = torch.randn(4, 6), torch.randn(4, 3, 8, 8)
    for net, given in zip(nets, (z, x), strict=True):
        bounded = biggan.bound(biggan.begun(copy.deepcopy(net), "normal")).train()
        with torch.no_grad():
            for _ in range(30):  # a step of the iteration each
                bounded(given)
        for layer in biggan._layers(bounded.eval()):
            top = torch.linalg.matrix_norm(layer.weight.flatten(1), 2)
            assert float(top.detach()) == pytest.approx(1, abs=0.02)


def test_what_a_snapshot_keeps_computes_the_same_without_the_bounds(nets):
    bounded = biggan.bound(biggan.begun(copy.deepcopy(nets[0]), "orthogonal")).train()
    z = torch.randn(5, 6)
    with torch.no_grad():
        bounded(z)
        plain = copy.deepcopy(nets[0]).eval()
        plain.load_state_dict(biggan.free(bounded))
        assert torch.allclose(plain(z), bounded(z), atol=1e-6)


def test_averaged_weights_get_the_statistics_of_what_they_draw():
    """Of the first norm, whose input is a linear map of z: mean 0, and the variance by hand."""
    torch.manual_seed(0)
    net = dcgan.Generator(size=8, channels=1, nf=4, latent=5)
    stand(net)
    norm = net.layers[2]
    z = torch.cat([ImageNoise(np.arange(64) + 64 * i, (), CPU)(5) for i in range(STANDING)])
    h = net.layers[:2](z)  # (N, C, 4, 4)
    assert torch.allclose(norm.running_mean, h.mean((0, 2, 3)), atol=1e-6)
    assert torch.allclose(norm.running_var, h.var((0, 2, 3)), rtol=0.05)


@pytest.mark.parametrize("size", [8, 16, 32, 64, 128])
def test_networks_of_all_sizes_give_images_and_one_number_for_each(size):
    shape = {"size": size, "channels": 3, "nf": 1}
    latent = 2 * (size.bit_length() - 2)
    pairs = [
        (dcgan.Generator(**shape, latent=latent), dcgan.Critic(**shape)),
        (
            biggan.Generator(**shape, latent=latent, skip=True, attention=size // 2),
            biggan.Critic(**shape, attention=size // 2),
        ),
    ]
    for generator, critic in pairs:
        with torch.no_grad():
            images = generator(torch.randn(2, latent))
            assert images.shape == (2, 3, size, size)
            assert images.abs().max() <= 1
            assert critic(images).shape == (2,)


@pytest.mark.parametrize("attention", [4, 7, 32])
def test_attention_on_a_map_that_there_is_not_is_refused(attention):
    model = plugins.build("generators", {"kind": "biggan", "attention": attention, "snapshots": 2})
    with pytest.raises(ValueError, match=rf"attention is {attention}; .* a map, 8, 16"):
        model.network(16, 3)


def test_every_part_of_z_reaches_the_image(nets):
    net = copy.deepcopy(nets[0]).eval()
    z = torch.randn(1, 6)
    with torch.no_grad():
        whole = net(z)
        for part in range(2):
            moved = z.clone()
            moved[:, 3 * part] += 1
            assert (net(moved) != whole).any()


def test_attention_begins_as_nothing_and_then_sees_the_whole_map():
    layer, x = biggan.Attention(8), torch.randn(1, 8, 4, 4)
    assert torch.equal(layer(x), x)
    with torch.no_grad():
        layer.gain += 1
        far = x.clone()
        far[:, :, 3, 3] += 5
        assert (layer(far)[:, :, 0, 0] != layer(x)[:, :, 0, 0]).any()


def test_what_of_z_cannot_be_shared_out_is_left_out():
    model = kind.build(code=120, skip=True)
    assert [model.network(size, 3)["latent"] for size in (64, 128, 256)] == [120, 120, 119]


# ---- trainings ----


def test_a_step_gives_the_critic_its_turns_of_new_images_and_the_generator_one():
    torch.manual_seed(0)
    generator, critic = dcgan.Generator(8, 1, 2, 3), dcgan.Critic(8, 1, 2)
    shown, moved = [], {"generator": 0, "critic": 0}

    def show(k):
        shown.append(k)
        return torch.rand(4, 1, 8, 8)

    def count(name):
        return lambda *_: moved.update({name: moved[name] + 1})

    adam = {"generator": {"lr": 1e-3}, "critic": {"lr": 1e-3}}
    training = play(generator, critic, HINGE, show, adam=adam, turns=3)
    for name in moved:
        training.parts[f"adam of {name}"].register_step_post_hook(count(name))
    training.step(0)
    training.step(1)
    assert shown == [0, 1, 2, 3, 4, 5]
    assert moved == {"generator": 2, "critic": 6}


def test_a_snapshot_of_biggan_is_the_average_and_names_no_bounds(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (9, 8, 8, 1)).astype(np.uint8)
    files = {}
    for rate in (0.9, None):
        model = kind.build(**kind.TOY | {"ema": rate, "lr": 1e-2})
        (tmp_path / str(rate)).mkdir()
        model.train(
            pixels, seed=1, folder=tmp_path / str(rate), monitor=lambda s, f: files.update({s: f})
        )
        files[rate] = load_tensors(files[12])[0]
    assert not any("parametriz" in name for name in files[0.9])
    assert files[0.9].keys() == files[None].keys()
    w = "blocks.0.conv1.weight"
    assert (files[0.9][w] != files[None][w]).any()


@pytest.mark.parametrize("name", ["vae", "gan", "biggan"])
def test_what_a_training_costs_is_known_before(name):
    entry = plugins.defaults("generators", name) | {
        "kind": name,
        "steps": 30,
        "snapshots": [10, 30],
    }
    if name == "vae":
        entry["widths"] = [32, 32, 64]
    work = plugins.call("generators", {"about": About(side=32, channels=3)} | entry, "work")
    assert work["plan"] == (30, [10, 30], entry["batch"], 1)
    assert work["network"].features == 32 * 32 * 3
    assert work["network"].flops > 1e6
    assert work["passes"] >= 6
    assert plugins.call("generators", entry, "training_steps") == 30
    assert plugins.call("generators", entry, "snapshots") == [10, 30]


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (512, "no network for images of 512 pixels; 256 at most"),
        (24, "these have 24 pixels"),
    ],
)
def test_what_biggan_cannot_draw_is_said(tmp_path, size, words):
    model = kind.build(**kind.TOY)
    with pytest.raises(ValueError, match=words):
        model.train(
            np.zeros((4, size, size, 1), np.uint8), seed=0, folder=tmp_path, monitor=lambda s, f: 0
        )


def test_the_layers_of_the_published_networks():
    """DCGAN's figure 1; the authors' tables of channels and of what halves."""
    generator = dcgan.Generator(size=64, channels=3, nf=128, latent=100)
    convs = [m for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert [m.out_channels for m in convs] == [1024, 512, 256, 128, 3]
    critic = dcgan.Critic(size=64, channels=3, nf=128)
    convs = [m for m in critic.modules() if isinstance(m, nn.Conv2d)]
    assert [m.out_channels for m in convs] == [128, 256, 512, 1024, 1]
    for size, up, down, halved in (
        (32, [4, 4, 4], [4, 4, 4, 4], 2),
        (64, [16, 8, 4, 2], [1, 2, 4, 8, 16], 4),
        (128, [16, 8, 4, 2, 1], [1, 2, 4, 8, 16, 16], 5),
    ):
        blocks = biggan.Generator(size, 3, 1, 8).blocks
        assert [block.conv2.out_channels for block in blocks] == up
        blocks = biggan.Critic(size, 3, 1).blocks
        assert [block.conv2.out_channels for block in blocks] == down
        assert [block.halve for block in blocks] == [i < halved for i in range(len(down))]
