"""NLN's autoencoders and their score, and one-class OpenGAN.

`fixtures/reconstruction` has values of the public code of NLN on small tensors.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from stripes import stripes as pictures
from torch import Tensor, nn
from torch.nn import functional as F

from nearnd import plugins
from nearnd.contracts import Images, score_of
from nearnd.detectors import aae, ae_consistent, ae_residual, autoencoder, opengan, vae
from nearnd.detectors._reconstruction import stretched
from nearnd.detectors._trained import Given
from nearnd.networks import flops
from nearnd.networks.augment import as_tensor
from nearnd.networks.feature_gan import Discriminator, Generator, noise
from nearnd.networks.reconstruction import Decoder, critic_of_codes, encoder, said, told_apart
from nearnd.scores import nln

THEIRS = dict(np.load(Path(__file__).parent / "fixtures/reconstruction/nln.npz"))
ALL = [autoencoder, vae, aae, ae_residual, ae_consistent]
PAIRED = [ae_residual, ae_consistent]
SHORT = {"width": 8, "code": 4, "epochs": 40, "batch": 16}
NAMES = [kind.__name__.rpartition(".")[2] for kind in ALL]


def images(pixels):
    return Images(pixels, np.zeros(len(pixels), int), np.arange(len(pixels)).astype(str))


def fitted(kind, pixels, seed=0, **options):
    detector = kind.build(**SHORT | options)
    detector.fit(images(pixels), outliers=None, backbone=None, seed=seed, folder=None)
    return detector


def auroc(low, high):
    return (high[:, None] > low).mean() + (high[:, None] == low).mean() / 2


# ---- networks and losses, against the public code ----


def theirs(name):
    return torch.from_numpy(np.asarray(THEIRS[name]))


def put(layer, name, turn):
    """Weights of Keras into a layer of PyTorch, axes in another order."""
    parts = [theirs(f"{name}.{i}") for i in range(4) if f"{name}.{i}" in THEIRS]
    if isinstance(layer, nn.BatchNorm2d):
        own = [layer.weight, layer.bias, layer.running_mean, layer.running_var]
    else:
        own, parts[0] = [layer.weight, layer.bias], turn(parts[0])
    with torch.no_grad():
        for tensor, part in zip(own, parts, strict=True):
            tensor.copy_(part)


def of_type(net, kind):
    return [layer for layer in net.modules() if isinstance(layer, kind)]


def from_last(w):
    """A dense matrix whose inputs or outputs are a flattened (2, 2, 3) there, (3, 2, 2) here."""
    return w.unflatten(0, (2, 2, 3)).permute(2, 0, 1, 3).flatten(0, 2)


def test_encoder_and_decoder_are_those_of_the_public_code():
    own, back = encoder(2, 8, 3, 4).eval(), Decoder(2, 8, 3, 4).eval()
    for i in range(3):
        put(of_type(own, nn.Conv2d)[i], f"enc.conv{i}", lambda w: w.permute(3, 2, 0, 1))
        put(of_type(own, nn.BatchNorm2d)[i], f"enc.norm{i}", None)
    put(own[-1], "enc.dense", lambda w: from_last(w).T)
    put(back.first, "dec.dense", lambda w: from_last(w.T))
    with torch.no_grad():
        back.first.bias.copy_(from_last(theirs("dec.dense.1")[:, None])[:, 0])
    for i in range(2):
        put(back.convs[i], f"dec.conv{i}", lambda w: w.permute(3, 2, 0, 1))
        put(back.norms[i], f"dec.norm{i}", None)
    put(back.last, "dec.last", lambda w: w.permute(3, 2, 0, 1))
    x = theirs("x").movedim(-1, 1)
    with torch.no_grad():
        z = own(x)
        logits = back(z)
    assert torch.allclose(z, theirs("z"), atol=1e-5)
    assert torch.allclose(logits.sigmoid().movedim(1, -1), theirs("x_hat"), atol=1e-5)
    error = F.binary_cross_entropy_with_logits(logits, x)
    assert float(error) == pytest.approx(float(THEIRS["bce"]), rel=1e-5)


def test_the_divergence_of_codes_is_that_of_the_public_code():
    own = vae.from_normal(theirs("mean"), theirs("logvar"))
    assert torch.allclose(own, theirs("kl"), atol=1e-5)
    wide = torch.distributions.Normal(theirs("mean"), (theirs("logvar") / 2).exp())
    kl = torch.distributions.kl_divergence(wide, torch.distributions.Normal(0, 1)).sum(1)
    assert torch.allclose(own, kl, atol=1e-5)


def test_levels_are_stretched_as_in_the_public_code():
    own = stretched(as_tensor(THEIRS["pixels"])).movedim(1, -1)
    assert torch.allclose(own, theirs("processed"), atol=1e-5)
    assert (own[0, :, :, 0] == 0).all()  # of one grey level


def test_networks_have_the_sizes_of_the_paper():
    mnist, cifar = flops.autoencoder(28, 1, 32, 32), flops.autoencoder(32, 3, 32, 256)
    # convolutions, dense layers, two numbers for each filter of a batch norm; counted by hand
    convs = (4 * 32 + 32) + 2 * (4 * 32 * 32 + 32) + 3 * 64
    up = 2 * (4 * 32 * 32 + 32) + (4 * 32 * 1 + 1) + 2 * 64
    assert mnist.weights == convs + (1568 * 32 + 32) + (32 * 1568 + 1568) + up
    convs, up = convs + 2 * 4 * 32, up + 2 * (4 * 32 + 1)
    assert cifar.weights == convs + (2048 * 256 + 256) + (256 * 2048 + 2048) + up
    assert mnist.features == 32 + 3 * 28**2
    critic = critic_of_codes(32)
    assert sum(p.numel() for p in critic.parameters()) == 33 * 64 + 65 * 128 + 129 * 256 + 257
    assert critic(torch.zeros(5, 32)).shape == (5,)


def test_critics_are_asked_for_probabilities():
    real, fake = torch.tensor([0.5, 2.0, -1.0]), torch.tensor([-0.5, 3.0])
    p, q = real.sigmoid(), fake.sigmoid()
    expected = -p.log().mean() - (1 - q).log().mean()
    assert float(told_apart(real, fake)) == pytest.approx(float(expected), rel=1e-6)
    assert float(said(fake, True)) == pytest.approx(float(-q.log().mean()), rel=1e-6)


# ---- the score ----


def bank_and_queries(**more):
    bank = {"latent": THEIRS["bank_z"], "decoded": THEIRS["bank_decoded"]}
    queries = {"latent": THEIRS["query_z"], "image": THEIRS["query_image"]}
    bank["image"] = np.random.default_rng(1).random(bank["decoded"].shape).astype(np.float32)
    return bank | more.get("bank", {}), queries | more.get("queries", {})


def test_the_score_as_released_is_that_of_the_public_code():
    bank, queries = bank_and_queries()
    own = nln.build(k=3, alpha=0.6, scaling="test")(bank, queries)["score"]
    assert own == pytest.approx(THEIRS["ae_as_released"], abs=1e-5)


def test_both_terms_are_those_of_the_public_code():
    bank, queries = bank_and_queries()
    near = nln.nearest(bank["latent"], queries["latent"], 3)[1]
    away = nln.distance_of(queries["latent"], bank["latent"], near, "l2")
    assert away == pytest.approx(THEIRS["dists"], rel=1e-5)
    flat = queries["image"].reshape(6, -1), bank["decoded"].reshape(9, -1)
    assert nln.error_of(*flat, near) == pytest.approx(THEIRS["error_ae"], rel=1e-5)
    error = nln.error_of(THEIRS["query_seen"], THEIRS["bank_rebuilt"], near)
    assert error == pytest.approx(THEIRS["error_res"], rel=1e-5)
    # AE-con's, as released: the own reconstruction's code against the neighbours' codes
    error = nln.error_of(THEIRS["query_rebuilt"], THEIRS["bank_z"], near)
    assert error == pytest.approx(THEIRS["error_con"], rel=1e-5)


@pytest.mark.parametrize("distance", ["l2", "l1"])
def test_the_score_by_its_definition(distance):
    bank, queries = bank_and_queries()
    x, z = queries["image"].astype(float), queries["latent"].astype(float)
    own, decoded, codes = (bank[n].astype(float) for n in ("image", "decoded", "latent"))

    def terms(image, code, there):
        order = sorted(there, key=lambda j: np.linalg.norm(codes[j] - code))[:2]
        error = np.mean([np.abs(image - decoded[j]).mean() for j in order])
        apart = [codes[j] - code for j in order]
        away = [np.abs(a).mean() if distance == "l1" else np.linalg.norm(a) for a in apart]
        return error, np.mean(away)

    known = [terms(own[i], codes[i], [j for j in range(9) if j != i]) for i in range(9)]
    e, d = np.mean(known, axis=0)
    found = np.array([terms(x[n], z[n], range(9)) for n in range(6)])
    expected = 0.7 * found[:, 0] / e + 0.3 * found[:, 1] / d
    whole = nln.build(k=2, alpha=0.7, distance=distance)(bank, queries)
    assert whole["score"] == pytest.approx(expected, rel=1e-5)
    for alpha, column, scale in ((1.0, 0, e), (0.0, 1, d)):
        alone = score_of(nln.build(k=2, alpha=alpha, distance=distance)(bank, queries))
        assert alone == pytest.approx(found[:, column] / scale, rel=1e-5)
    one = nln.build(k=1)(bank, queries)["map"]
    nearest = np.linalg.norm(z[:, None] - codes, axis=2).argmin(1)
    assert one == pytest.approx(np.abs(x - decoded[nearest]).mean(3), rel=1e-5)


def test_an_image_of_the_bank_is_not_its_own_neighbour():
    codes = np.array([[0.0], [1], [3], [3], [3], [9]])
    assert nln.others_of(codes, np.arange(6), 1)[[0, 1, 5]].tolist() == [[1], [0], [2]]
    near = nln.others_of(codes, np.arange(6), 3)
    assert near.shape == (6, 3)
    for i in (0, 1, 5):
        assert i not in near[i]
    same = np.zeros((40, 2))  # all distances are 0: which ones are left out does not matter
    assert nln.others_of(same, np.arange(40), 2).shape == (40, 2)


def test_terms_have_no_unit_and_codes_no_axes():
    bank, queries = bank_and_queries()
    plain = nln.build()(bank, queries)["score"]
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    for part in (bank, queries):
        part["latent"] = 30 * part["latent"] @ turn
        for name in {"image", "decoded"} & set(part):
            part[name] = part[name] * 5 - 2
    assert nln.build()(bank, queries)["score"] == pytest.approx(plain, rel=1e-4)


def test_only_the_score_as_released_depends_on_the_other_queries(monkeypatch):
    bank, queries = bank_and_queries()
    few = {name: array[:3] for name, array in queries.items()}
    plain = nln.build()(bank, queries)
    assert nln.build()(bank, few)["score"] == pytest.approx(plain["score"][:3], rel=1e-6)
    released = nln.build(scaling="test")
    assert abs(released(bank, few)["score"] - released(bank, queries)["score"][:3]).max() > 0.01
    monkeypatch.setattr(nln, "BUDGET", 1)  # an image at a time
    chunks = nln.build()(bank, queries)
    assert all(chunks[name] == pytest.approx(plain[name], rel=1e-6) for name in plain)
    none = {name: array[:0] for name, array in queries.items()}
    for score in (nln.build(), released):
        assert score(bank, none)["score"].shape == (0,)


def test_what_cannot_be_scored_is_refused():
    bank, queries = bank_and_queries()
    with pytest.raises(ValueError, match="k is 9, but the bank has only 9 images"):
        nln.build(k=9)(bank, queries)
    with pytest.raises(ValueError, match="'latent' has 4 numbers for an image, 'decoded' 18"):
        nln.build(query="latent")(bank, queries)
    with pytest.raises(ValueError, match="the query has no 'seen'"):
        nln.build(query="seen")(bank, queries)
    with pytest.raises(ValueError, match="alpha is 2"):
        nln.build(alpha=2)


# ---- detectors ----


@pytest.mark.parametrize("kind", ALL, ids=NAMES)
def test_stripes_at_another_angle_are_found(kind):
    normal = pictures(60, 0)
    detector = fitted(kind, normal, lr=3e-3)
    bank, same, other = (
        detector.embed(p) for p in (normal, pictures(40, 1), pictures(40, 2, angle=np.pi / 2))
    )
    plain = plugins.build("scores", {"kind": "highest", "share": 1.0})
    assert auroc(score_of(plain({}, same)), score_of(plain({}, other))) > 0.95
    names = {"query": "seen", "neighbour": "rebuilt"} if kind in PAIRED else {}
    score = nln.build(**names)
    assert auroc(score(bank, same)["score"], score(bank, other)["score"]) > 0.95


@pytest.mark.parametrize("kind", ALL, ids=NAMES)
def test_what_is_embedded_is_what_it_says(kind):
    colour = pictures(20, 0, channels=3)
    colour[..., 1] = 9  # a channel without contrast
    detector = fitted(kind, colour, epochs=2)
    found = detector.embed(colour)
    assert found["image"][..., 1].max() == 0
    assert found["image"][..., 0].max() == 1
    assert found["image"].min() == 0
    assert (found["decoded"] > 0).all()
    assert (found["decoded"] < 1).all()
    apart = np.abs(found["image"] - found["decoded"]).mean(3)
    assert found["map"] == pytest.approx(apart, abs=1e-6)
    net, x = detector.net, torch.from_numpy(found["image"]).movedim(-1, 1)
    y = torch.from_numpy(found["decoded"]).movedim(-1, 1)
    with torch.no_grad():
        again = net.decoder(torch.from_numpy(found["latent"])).sigmoid()
        assert torch.allclose(again, y, atol=1e-5)
        if kind is ae_residual:
            pair = [net.more["critic"](t)[0] for t in (x, y)]
        elif kind is ae_consistent:
            pair = [net.encoder(x), net.more["again"](y)]
        else:
            return
    for name, expected in zip(("seen", "rebuilt"), pair, strict=True):
        assert found[name] == pytest.approx(expected.numpy(), abs=1e-4)
    as_they_are = fitted(kind, colour, epochs=1, levels="all").embed(colour)["image"]
    assert as_they_are == pytest.approx(colour / 255, abs=1e-6)


def test_the_vae_weighs_pixels_against_codes():
    """Of pixels that do not count, the code says nothing: mean 0 for every image."""
    normal = np.concatenate([pictures(30, 0), pictures(30, 1, angle=np.pi / 2)])
    blind, sees = (fitted(vae, normal, weight=w, lr=3e-3).embed(normal) for w in (1e-3, 1024))
    assert np.abs(blind["latent"]).max() < 0.2
    assert sees["latent"].std(0).max() > 0.5
    assert sees["map"].mean() < 0.7 * blind["map"].mean()


def test_the_critic_of_aae_draws_codes_to_normal_numbers():
    normal = pictures(80, 0)
    free, drawn = (fitted(k, normal, lr=3e-3).embed(normal) for k in (autoencoder, aae))

    def off(z):  # from mean 0 and deviation 1
        return np.abs(z.mean(0)).mean() + np.abs(np.log(z.std(0))).mean()

    assert off(drawn["latent"]) < 0.85 * off(free["latent"])


def test_the_second_encoder_of_ae_con_learns_the_codes_of_reconstructions():
    normal = pictures(60, 0)
    found = fitted(ae_consistent, normal, lr=3e-3).embed(normal)
    assert (found["seen"] == found["latent"]).all()
    apart = np.abs(found["rebuilt"] - found["seen"]).mean()
    assert apart < 0.7 * np.abs(found["seen"] - found["seen"].mean(0)).mean()


def test_images_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="autoencoder needs square normal images, it got 6 of 8 x"):
        fitted(autoencoder, pictures(6, 0)[:, :, :5])
    with pytest.raises(ValueError, match="vae takes images whose side is a multiple of 4, these"):
        fitted(vae, pictures(6, 0, side=10))
    with pytest.raises(ValueError, match="it got 0 of"):
        fitted(aae, pictures(6, 0)[:0])
    detector = fitted(autoencoder, pictures(6, 0), epochs=1)
    with pytest.raises(ValueError, match="this autoencoder detector was trained on"):
        detector.embed(pictures(2, 0, side=12))


# ---- one-class OpenGAN ----


class Flat(nn.Module):
    """A frozen network for tests: features are the pixels."""

    num_features = 16
    head_hidden_size = None

    def forward_features(self, x: Tensor) -> Tensor:
        return x.flatten(1)


class OnPixels(opengan.OpenGAN):
    def open(self, given: Given, **random) -> nn.Module:
        self.facts = {}
        return Flat()

    def features_of(self, net, pixels, progress=None):
        return pixels.reshape(len(pixels), 16).astype(np.float32) / 255


def test_the_gan_has_the_layers_of_its_paper():
    g, d = Generator(512, 64), Discriminator(512, 64)
    assert [m.out_features for m in g.modules() if isinstance(m, nn.Linear)] == [
        512, 256, 128, 256, 512
    ]  # fmt: skip
    assert [m.out_features for m in d.modules() if isinstance(m, nn.Linear)] == [
        512, 256, 128, 64, 1
    ]  # fmt: skip
    weights = 512 * 512 + 512 * 256 + 256 * 128 + 128 * 64 + 64 + 2 * (256 + 128 + 64)
    assert sum(p.numel() for p in d.parameters()) == weights
    assert float(d[0].weight.detach().std()) == pytest.approx(0.02, rel=0.02)
    assert d(g(noise(7, torch.zeros(1)))).shape == (7,)


def test_made_features_and_far_ones_are_more_anomalous_than_real_ones():
    rng = np.random.default_rng(0)
    pixels = rng.normal(200, 10, (200, 4, 4, 1)).clip(0, 255).astype(np.uint8)
    detector = OnPixels(width=8, epochs=20, batch=50, lr=0.0, lr_critic=2e-3)
    detector.fit(images(pixels[:100]), outliers=None, backbone=None, seed=0, folder=None)
    low = detector.embed(pixels[100:])["logit"]
    torch.manual_seed(0)  # a generator that learns nothing, and stays near 0
    assert auroc(low, detector.embed(np.zeros((9, 4, 4, 1), np.uint8))["logit"]) == 1
    with torch.no_grad():
        judged = detector.net.critic(torch.from_numpy(detector.features_of(None, pixels[100:])))
    assert low == pytest.approx(-judged.numpy(), abs=1e-5)


def test_the_gan_learns_in_which_direction_features_vary(monkeypatch):
    """Not where their mean is: batch norms of the discriminator take it off both batches."""
    rng, pattern = np.random.default_rng(0), np.repeat([1, -1], 8)
    pixels = 128 + rng.normal(0, 30, (100, 1)) * pattern + rng.normal(0, 4, (100, 16))
    pixels = pixels.clip(0, 255).astype(np.uint8).reshape(100, 4, 4, 1)
    shares = []
    for epochs in (1, 50):
        torch.manual_seed(0)
        generator = Generator(16, 8)
        monkeypatch.setattr(opengan, "Generator", lambda *_, own=generator: own)
        detector = OnPixels(width=8, epochs=epochs, batch=50, lr=1e-3, lr_critic=1e-3)
        detector.fit(images(pixels), outliers=None, backbone=None, seed=0, folder=None)
        made = generator.train()(noise(500, torch.zeros(1))).detach().numpy()  # (500, 16)
        shares.append((made @ pattern / 4).var() / made.var(0).sum())
    assert shares[0] < 0.1
    assert shares[1] > 3 * shares[0]
