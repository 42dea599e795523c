"""Classifiers that are trained in other ways, and scores of theirs: facts of each."""

import numpy as np
import pytest
import torch
from test_posthoc import score, stripes
from torch.nn import functional as F

from nearnd import plugins
from nearnd.detectors import classifier_oe, godin, layered_mahalanobis
from nearnd.detectors.ensemble import mean_log_softmax

RNG = np.random.default_rng(0)
F10 = torch.from_numpy(RNG.normal(size=(6, 4)) * 3)  # logits (6, 4)


def fitted(kind, *, outliers=None, **options):
    short = {"depth": 10, "width": 1, "epochs": 2, "batch": 32, "shift": 0, "flip": False}
    detector = plugins.build("detectors", {"kind": kind, **short, **options})
    detector.fit(stripes(96, 0), outliers=outliers, backbone=None, seed=0, folder=None)
    return detector


PIXELS = stripes(24, 1).pixels


# ---- outliers ----


def test_outlier_exposure_is_cross_entropy_from_the_uniform_law():
    uniform = torch.full_like(F10, 1 / 4)
    ours = classifier_oe.from_uniform(F10)
    assert torch.allclose(ours, F.cross_entropy(F10, uniform, reduction="none"))
    law = torch.distributions.Categorical
    kl = torch.distributions.kl_divergence(law(probs=uniform), law(logits=F10))
    assert torch.allclose(ours, kl + np.log(4))
    assert classifier_oe.from_uniform(torch.zeros(1, 4)) == pytest.approx(np.log(4))  # the least
    loss = classifier_oe.Exposed(loss="oe").penalty(F10, F10[:2])
    assert loss.item() == pytest.approx(0.5 * ours[:2].mean().item())


def test_energy_is_the_free_energy_and_bounds_are_hinges():
    p = np.exp(F10.numpy())
    ours = classifier_oe.energy(F10)
    assert ours.numpy() == pytest.approx(-np.log(p.sum(axis=1)))
    assert score("energy", F10.numpy()) == pytest.approx(ours.numpy(), rel=1e-5)
    two = torch.tensor([[25.0, -99.0], [20.0, -99.0]])  # energies -25 and -20
    exposed = classifier_oe.Exposed(loss="bounds")
    # normal: -20 is 3 above -23; outliers: -25 and -20 are 20 and 15 below -5
    expected = 0.1 * ((0 + 9) / 2 + (400 + 225) / 2)
    assert exposed.penalty(two, two).item() == pytest.approx(expected, rel=1e-5)
    assert exposed.penalty(two[:1], two * 0).item() == 0  # -25, and -log 2 above -5
    with pytest.raises(ValueError, match=r"m_in is 1.0, above m_out -5.0"):
        classifier_oe.Exposed(loss="bounds", m_in=1.0)


@pytest.mark.parametrize("loss", ["oe", "bounds"])
def test_what_has_been_seen_as_outliers_is_kept_out(loss):
    noise = stripes(96, 3, flat=True).pixels
    options = {"epochs": 8, "tune_epochs": 6, "tune_lr": 0.05, "outlier_batch": 32, "loss": loss}
    bounds = {"m_in": -6.0, "m_out": -1.0}
    detector = fitted("classifier_oe", outliers=noise, **options, **bounds)
    known, unknown = (detector.embed(stripes(60, 1, flat).pixels) for flat in (False, True))
    kind = "msp" if loss == "oe" else "energy"
    assert (score(kind, known)[:, None] < score(kind, unknown)).mean() > 0.97
    if loss == "oe":  # it is as unsure of outliers as it can be
        assert score("msp", unknown).mean() > 0.5
    guess = detector.embed(stripes(60, 1).pixels)["logits"].argmax(axis=1)
    assert (np.array([3, 5, 9])[guess] == stripes(60, 1).labels).mean() > 0.95


def test_outliers_of_another_size_are_refused():
    with pytest.raises(ValueError, match="same size"):
        fitted("classifier_oe", outliers=np.zeros((4, 9, 9, 1), np.uint8))


# ---- several answers ----


def test_an_ensemble_of_equal_members_is_one_member():
    log_p = F10.log_softmax(dim=1)
    for members in (1, 3):
        mean = mean_log_softmax(log_p.repeat(members, 1, 1))
        assert torch.allclose(mean.double(), log_p, atol=1e-6)
    two = mean_log_softmax(torch.log(torch.tensor([[[0.9, 0.1]], [[0.5, 0.5]]])))
    assert torch.allclose(two.exp(), torch.tensor([[0.7, 0.3]]))


def test_an_ensembles_members_differ_and_one_alone_is_a_classifier(tmp_path):
    pair = fitted("ensemble", members=2)
    first, second = pair.net
    assert not torch.equal(first.head.weight, second.head.weight)
    found = pair.embed(PIXELS)["logits"]
    assert np.exp(found).sum(axis=1) == pytest.approx(1, abs=1e-5)
    second.load_state_dict(first.state_dict())
    h = pair.features_of(first.backbone, PIXELS)
    f = h @ first.head.weight.detach().numpy().T + first.head.bias.detach().numpy()
    same = pair.embed(PIXELS)
    assert score("msp", same) == pytest.approx(score("msp", f), rel=1e-4, abs=1e-6)


def test_mc_dropout_without_dropout_is_the_plain_answer():
    off = fitted("mc_dropout", dropout=0.0, passes=3)
    plain = fitted("classifier", dropout=0.0)
    ours, theirs = off.embed(PIXELS), plain.embed(PIXELS)
    assert score("msp", ours) == pytest.approx(score("msp", theirs), rel=1e-3, abs=1e-6)
    assert ours["features"] == pytest.approx(theirs["features"], abs=1e-5)


@pytest.mark.parametrize("kind", ["mc_dropout", "layered_mahalanobis"])
def test_what_needs_the_wide_network_refuses_a_backbone(kind, tmp_path):
    detector = plugins.build("detectors", {"kind": kind})
    with pytest.raises(ValueError, match=f"{kind} .* its own wide network: leave `backbone` out"):
        detector.fit(stripes(6, 0), outliers=None, backbone=tmp_path, seed=0, folder=None)


def test_without_a_rate_nothing_moves():
    still = fitted("classifier", lr=0.0, epochs=1)
    torch.manual_seed(0)
    assert torch.equal(still.net.head.weight.cpu(), still.untrained().head.weight)


def test_mc_dropout_drops_by_the_images_own_seed():
    detector = fitted("mc_dropout", dropout=0.5, passes=4)
    seeds = np.arange(24, dtype=np.uint64)
    one = detector.embed(PIXELS, seeds=seeds)["logits"]
    assert (detector.embed(PIXELS, seeds=seeds)["logits"] == one).all()
    other = detector.embed(PIXELS, seeds=seeds + 1)["logits"]
    assert (np.abs(other - one).max(axis=1) > 1e-6).all()
    order = RNG.permutation(24)
    moved = detector.embed(PIXELS[order], seeds=seeds[order])["logits"]
    assert moved == pytest.approx(one[order], abs=1e-5)
    detector.facts["passes"] = 100  # more passes, less chance
    a, b = (detector.embed(PIXELS[:2], seeds=seeds[:2] + k)["logits"] for k in (0, 50))
    assert np.abs(a - b).max() < np.abs(other - one)[:2].max()


def test_dropping_keeps_the_mean():
    from nearnd.networks.dropout import Dropout, dropping

    layer = Dropout(0.3).eval()
    x = torch.ones(2, 50, 400)
    assert torch.equal(layer(x), x)
    with dropping(layer, np.array([1, 2], np.uint64), 0):
        y = layer(x)
    assert torch.equal(layer(x), x)
    assert y.unique().tolist() == pytest.approx([0, 1 / 0.7])
    assert y.mean(dim=(1, 2)).tolist() == pytest.approx([1, 1], abs=0.02)
    assert not torch.equal(y[0], y[1])


# ---- GradNorm ----


def test_gradnorm_is_autograds_norm_of_the_gradient():
    h = RNG.normal(size=(5, 7))
    w = torch.from_numpy(RNG.normal(size=(4, 7))).requires_grad_()
    b, uniform = torch.from_numpy(RNG.normal(size=4)), torch.full((4,), 0.25).double()
    for t in (1.0, 2.5):
        expected = []
        for row in torch.from_numpy(h):
            log_p = ((w @ row + b) / t).log_softmax(dim=0)
            kl = (uniform * (uniform.log() - log_p)).sum()
            (gradient,) = torch.autograd.grad(kl, w)
            expected.append(-gradient.abs().sum().item())
        logits = (torch.from_numpy(h) @ w.T + b).detach().numpy()
        found = score("gradnorm", {"features": h, "logits": logits}, temperature=t)
        assert found == pytest.approx(expected, rel=1e-5)


def test_gradnorm_and_knn_as_in_pytorch_ood():
    ood = pytest.importorskip("pytorch_ood.detector")
    layer = torch.nn.Linear(7, 4)
    h = torch.from_numpy(RNG.normal(size=(9, 7))).float()
    theirs = ood.GradNorm(layer, param_filter=lambda name: name == "weight").predict(h)
    queries = {"features": h.numpy(), "logits": layer(h).detach().numpy()}
    assert score("gradnorm", queries) == pytest.approx(theirs.detach().numpy(), rel=1e-4)


def test_the_kth_neighbour_alone_by_hand():
    bank = {"features": np.array([[1.0, 0], [0, 2], [-3, 0]])}
    query = {"features": np.array([[5.0, 0], [3, 3]])}
    # of length 1: squared distances of (1, 0) are 0, 2, 4
    found = score("knn", query, bank, k=2, distance="cosine", take="last")
    assert found == pytest.approx([2, 2 - np.sqrt(2)])
    assert score("knn", query, bank, k=3, distance="cosine", take="last")[0] == pytest.approx(4)
    both = score("knn", query, bank, k=2, distance="cosine")
    one = score("knn", query, bank, k=1, distance="cosine")
    assert both - one == pytest.approx(found, abs=1e-6)


# ---- ReAct before any score ----


@pytest.mark.parametrize("kind", ["msp", "max_logit", "energy"])
def test_react_at_the_hundredth_percentile_changes_no_score(kind):
    plain = fitted("classifier", percentile=100.0)
    queries = plain.embed(stripes(96, 0).pixels)
    assert (score(kind, queries, feature="react") == score(kind, queries)).all()
    plain.facts["clip"] = 0.0  # nothing is left but the bias
    queries = plain.embed(PIXELS)
    bias = np.broadcast_to(plain.net.head.bias.detach().numpy(), (24, 3))
    assert score(kind, queries, feature="react") == pytest.approx(score(kind, bias), rel=1e-5)


# ---- G-ODIN ----


@pytest.mark.parametrize("similarity", ["cosine", "euclid", "inner"])
def test_godins_parts_are_a_similarity_over_a_doubt(similarity):
    torch.manual_seed(0)
    backbone = torch.nn.Identity()
    backbone.num_features = 5
    backbone.forward_features = backbone.forward_head = lambda z, **_: z
    net = godin.Divided(backbone, 3, similarity).eval()
    z = torch.randn(8, 5)
    h, g = net.parts(z)
    w = net.h.weight
    expected = {
        "cosine": F.cosine_similarity(z[:, None], w[None], dim=2),
        "euclid": -(z[:, None] - w[None]).square().mean(dim=2),
        "inner": z @ w.T + (net.h.bias if similarity == "inner" else 0),
    }[similarity]
    assert torch.allclose(h, expected, atol=1e-5)
    assert ((g > 0) & (g < 1)).all()
    assert torch.allclose(net(z), h / g)


def test_godin_chooses_its_step_by_normal_images_and_the_step_makes_h_larger():
    detector = fitted("godin", epochs=4)
    held = godin.held_out(stripes(96, 0).labels, 0.1, 0)
    assert np.bincount(stripes(96, 0).labels[held])[[3, 5, 9]].tolist() == [3, 3, 3]
    sums = {s: -detector.stepped(stripes(96, 0).pixels[held], s).sum() for s in godin.STEPS}
    assert detector.facts["step"] == max(sums, key=sums.get)
    found = detector.embed(PIXELS)
    assert found["logits"] == pytest.approx(found["h"] / found["g"][:, None], rel=1e-5)
    plain = detector.stepped(PIXELS, 0.0)
    assert plain == pytest.approx(-found["h"].max(axis=1), abs=1e-6)
    assert (detector.stepped(PIXELS, 1e-4) < plain).mean() > 0.9
    weights = {id(p) for p in detector.net.h.parameters()}
    decayed = [
        g.get("weight_decay", 1)
        for g in detector.groups()
        if {id(p) for p in g["params"]} & weights
    ]
    assert decayed == [0.0]  # h alone is not


# ---- Mahalanobis in layers ----


def test_a_layers_distance_is_the_one_of_class_mahalanobis():
    rng = np.random.default_rng(2)
    labels = np.arange(60) % 3
    h = rng.normal(size=(60, 5)) @ rng.normal(size=(5, 5)) + labels[:, None]
    mean, white = layered_mahalanobis.whitened(h, labels)
    net = layered_mahalanobis.Layered(torch.nn.Identity(), 3, [5])
    net.mean0.copy_(torch.from_numpy(mean))
    net.white0.copy_(torch.from_numpy(white))
    x = rng.normal(size=(9, 5))
    ours = net.distance(torch.from_numpy(x).float(), 0).numpy()
    theirs = score("class_mahalanobis", {"features": x}, {"features": h, "label": labels})
    assert ours == pytest.approx(theirs / 5, rel=1e-3)


def test_the_step_brings_images_nearer_to_a_class():
    detector = fitted("layered_mahalanobis", epochs=4, step=0.0)
    before = detector.embed(PIXELS)
    assert before["layers"].shape == (24, 4)  # the first convolution and three stages
    assert before["mahalanobis"] == pytest.approx(before["layers"].mean(axis=1))
    detector.step = 1e-3
    after = detector.embed(PIXELS)
    assert (after["layers"] < before["layers"]).mean() > 0.9
    known, noise = (detector.embed(stripes(60, 1, flat).pixels) for flat in (False, True))
    assert (known["mahalanobis"][:, None] < noise["mahalanobis"]).mean() > 0.95
