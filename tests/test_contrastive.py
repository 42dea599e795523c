"""Contrastive detectors: views, losses, CSI's and SSD's scores, labelled forms.

`fixtures/contrastive` has values of the public codes of CSI and SSD on small tensors.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from stripes import stripes as pictures
from torch import nn
from torch.nn import functional as F

from nearnd import plugins
from nearnd.contracts import Images
from nearnd.detectors import csi, csi_labelled, simclr, simclr_labelled
from nearnd.detectors._contrastive import OPTIMIZERS, numbers_of
from nearnd.detectors._trained import Given
from nearnd.jobs.seeds import pixel_seeds
from nearnd.networks import flops, views
from nearnd.networks.batches import rows_apart
from nearnd.networks.contrastive import nt_xent, supervised_nt_xent
from nearnd.networks.resnet import resnet
from nearnd.networks.schedules import cosine, warmed
from nearnd.networks.shifts import SHIFTS, permuted, rotated
from nearnd.networks.views import NUMBERS, Views, cut, mirrored, seen, windows

THEIRS = json.loads((Path(__file__).parent / "fixtures/contrastive/values.json").read_text())
AS_IS = {"scale": (1.0, 1.0), "jitter": (0, 0, 0, 0), "grey": 0.0, "flip": False}
SMALL = {"depth": 10, "width": 4, "code": 8, "optimizer": "adamw", "lr": 3e-3, "weight_decay": 0}
CALM = {"scale": (0.5, 1.0), "jitter": (0.2, 0.2, 0, 0), "grey": 0, "flip": False}


def theirs(name, dtype=torch.float64):
    return torch.tensor(THEIRS[name], dtype=dtype)


def unit(z):
    return F.normalize(torch.as_tensor(z), dim=1)


def fitted(kind, pixels, labels=None, seed=0, **options):
    detector = kind.build(**SMALL | CALM | options)
    labels = np.zeros(len(pixels), np.int64) if labels is None else labels
    images = Images(pixels, labels, np.arange(len(pixels)).astype(str))
    detector.fit(images, outliers=None, backbone=None, seed=seed, folder=None)
    return detector


def auroc(low, high):
    return (high[:, None] > low).mean() + (high[:, None] == low).mean() / 2


# ---- losses ----


def test_losses_are_those_of_the_public_codes():
    z, label = theirs("z"), torch.tensor(THEIRS["z_labels"]).repeat(2)
    own = float(nt_xent(z, 0.5))
    assert own == pytest.approx(THEIRS["nt_xent"], rel=1e-6)
    # SSD's is t / 0.07 times the usual one
    scale = 0.5 / simclr.BASE
    assert scale * own == pytest.approx(THEIRS["simclr_ssd"], rel=1e-5)
    supervised = float(supervised_nt_xent(z, label, 0.5))
    assert scale * supervised == pytest.approx(THEIRS["supcon"], rel=1e-5)
    # CSI's counts the row itself, whose term is -log(1e-8), among the 3 positives
    assert (3 * supervised - np.log(1e-8)) / 4 == pytest.approx(THEIRS["sup_csi"], rel=1e-6)


def test_labels_that_all_differ_leave_the_other_view():
    z = unit(torch.randn(10, 4, generator=torch.Generator().manual_seed(0)))
    own = supervised_nt_xent(z, torch.arange(5).repeat(2), 0.3)
    assert float(own) == pytest.approx(float(nt_xent(z, 0.3)), rel=1e-6)


@pytest.mark.parametrize("shifts", ["rotation", "permute", "none"])
def test_the_loss_of_csi_by_its_definition(shifts):
    """Of 3 images in 2 views and K shifts: the positive of one is the other view in the same shift;
    all others are negatives, its own image in other shifts too."""
    detector = csi.build(**SMALL, shifts=shifts, temperature=0.4)
    images = Images(pictures(3, 0), np.zeros(3, int), np.array(list("abc")))
    torch.manual_seed(0)
    detector.prepare(Given(images))
    k = detector.count()
    rows = [(v, i, s) for v in range(2) for i in range(3) for s in range(k)]
    h, z = torch.randn(len(rows), 32), unit(torch.randn(len(rows), 5))
    place = {row: n for n, row in enumerate(rows)}
    total = 0.0
    for v, i, s in rows:
        anchor = z[place[v, i, s]]
        terms = {row: float((anchor @ z[place[row]] / 0.4).exp()) for row in rows}
        del terms[v, i, s]
        total -= np.log(terms[1 - v, i, s] / sum(terms.values())) / len(rows)
    f = detector.net.shift(h).detach().double()
    told = [-float(f[place[row]].log_softmax(0)[row[2]]) for row in rows]
    value = float(detector.loss(h, z, torch.zeros(len(rows))).detach())
    assert value == pytest.approx(total + np.mean(told), rel=1e-5)


def test_the_loss_of_labelled_csi_has_a_label_for_class_and_shift():
    detector = csi_labelled.build(**SMALL)
    detector.facts = {"shifts": "rotation", "classes": 3}
    y = torch.tensor([2, 0]).repeat(2).repeat_interleave(4)
    assert detector.both(y).tolist() == [2, 5, 8, 11, 0, 3, 6, 9] * 2
    z = unit(torch.randn(16, 5, generator=torch.Generator().manual_seed(0)))
    own = float(detector.loss(torch.zeros(16, 1), z, y))
    assert own == pytest.approx(float(nt_xent(z, 0.07)), rel=1e-5)  # no two alike but the views


# ---- shifts and views ----


def test_shifts_are_four_images_of_which_the_first_is_the_image():
    x = torch.arange(16.0).view(1, 1, 4, 4)
    for k, expected in enumerate(THEIRS["permuted"]):
        assert permuted(x, k).flatten().tolist() == expected
    for k in range(4):
        assert (rotated(x, k)[0, 0].numpy() == np.rot90(x[0, 0].numpy(), k)).all()
    for family in SHIFTS.values():
        assert (family[0](x) == x).all()
        assert len({tuple(shift(x).flatten().tolist()) for shift in family}) == len(family)


def test_windows_and_colours_are_those_of_the_public_code():
    x = torch.tensor(THEIRS["x"])[:, None]
    own = cut(x, torch.tensor(THEIRS["windows"]), 4)[:, 0]
    assert torch.allclose(own, theirs("cut", torch.float32), atol=1e-5)
    hue, saturation, value = torch.tensor(THEIRS["hsv"])
    own = views._hsv(torch.tensor(THEIRS["colours"]), views.HUES * hue, saturation, value)
    # their hue is an angle, ours hexagonal: up to 1.2 degrees apart, a fiftieth of a sixth
    assert torch.allclose(own, theirs("coloured", torch.float32), atol=0.021)


def test_a_view_without_changes_is_the_image():
    x, u = torch.rand(5, 3, 6, 6), torch.rand(5, NUMBERS)
    assert torch.allclose(seen(x, u, Views(**AS_IS), 6), x, atol=1e-6)


def test_windows_lie_inside_and_have_their_share_of_the_area():
    u = torch.rand(4000, NUMBERS, generator=torch.Generator().manual_seed(0))
    for scale in ((0.54, 0.54), (0.08, 1.0)):
        width, height, x, y = windows(u, scale).unbind(1)
        assert float((x.abs() + width).max()) <= 1 + 1e-6
        assert float((y.abs() + height).max()) <= 1 + 1e-6
        shape = width / height
        assert float(shape.min()) > 0.749
        assert float(shape.max()) < 1.334
        area = width * height
        assert float(area.mean()) == pytest.approx(sum(scale) / 2, abs=0.01)
        assert float(area.std()) == pytest.approx((scale[1] - scale[0]) / 12**0.5, abs=0.01)


def test_a_view_depends_on_its_own_numbers_alone_and_stays_in_the_range():
    how = Views((0.08, 1.0), (0.4, 0.4, 0.4, 0.1), 0.2, True)
    for channels in (1, 3):
        x, u = torch.rand(30, channels, 8, 8), torch.rand(30, NUMBERS)
        whole = seen(x, u, how, 8)
        assert torch.allclose(seen(x[7:8], u[7:8], how, 8)[0], whole[7], atol=1e-6)
        assert float(whole.min()) >= -1e-6
        assert float(whole.max()) <= 1 + 1e-6
        assert not torch.allclose(seen(x, torch.rand(30, NUMBERS), how, 8), whole, atol=0.05)


def test_of_the_colours_80_percent_change_and_a_fifth_is_grey():
    g = torch.Generator().manual_seed(0)
    x, u = torch.rand(3000, 3, 2, 2, generator=g), torch.rand(3000, NUMBERS, generator=g)
    changed = seen(x, u, Views(**AS_IS | {"jitter": (0.4, 0.4, 0.4, 0.1)}), 2)
    same = (changed - x).abs().amax((1, 2, 3)) < 1e-5
    assert float(same.float().mean()) == pytest.approx(0.2, abs=0.03)
    lost = seen(x, u, Views(**AS_IS | {"grey": 0.2}), 2)
    grey = lost.std(1).amax((1, 2)) < 1e-6
    assert float(grey.float().mean()) == pytest.approx(0.2, abs=0.03)


def test_images_are_mirrored_before_they_are_turned():
    """Else a mirrored quarter turn would look like one the other way."""
    x, u = torch.rand(1, 1, 4, 4), torch.zeros(1, 4, NUMBERS)  # all are mirrored
    detector = csi.build(**SMALL)
    detector.facts = {"shifts": "rotation"}
    shown = detector.shown(x, u, Views(**AS_IS | {"flip": True}))
    for k in range(4):
        expected = torch.rot90(x.flip(3), k, (2, 3))[0]
        assert torch.allclose((shown[k] + 1) / 2, expected, atol=1e-6)
    assert (mirrored(x, u[:, 0] + 0.5) == x).all()


# ---- the network, the optimizer, batches ----


def test_resnet_18_for_small_and_large_images():
    small = flops.resnet(32, 3, 18, 64, "small")
    assert small.weights == 11_168_832  # CIFAR's ResNet-18 without its classifier
    assert small.features == 512
    assert small.flops == pytest.approx(2 * 0.5554e9, rel=0.01)
    large = flops.resnet(224, 3, 18, 64, "large")
    assert large.weights == 11_176_512  # torchvision's, without its classifier
    assert large.flops == pytest.approx(2 * 1.814e9, rel=0.01)
    assert flops.resnet(32, 3, 50, 64, "small").features == 2048
    assert resnet(1, 10, 4, "small").eval()(torch.zeros(2, 1, 8, 8)).shape == (2, 32)


@pytest.mark.parametrize("decay", [0.01, 0.0])
def test_lars_by_its_formula(decay):
    o = csi.build(lr=0.7, momentum=0.9, weight_decay=decay)
    p = nn.Parameter(torch.tensor([3.0, -4.0]))
    optimizer = OPTIMIZERS["lars"]([p], o)
    moved = np.zeros(2)
    w = p.detach().numpy().astype(float)
    for g in ([0.6, 0.8], [-1.0, 0.5]):
        p.grad = torch.tensor(g)
        optimizer.step()
        norm = np.linalg.norm(w)
        trust = 1e-3 * norm / (np.linalg.norm(g) + decay * norm + 1e-8)
        moved = 0.9 * moved + trust * (np.array(g) + decay * w)
        w = w - 0.7 * moved
        assert p.detach().numpy() == pytest.approx(w, rel=1e-6)


def test_the_rate_rises_from_a_tenth_and_falls_to_nothing():
    rate = warmed(10, cosine(90))
    assert rate(0) == pytest.approx(0.1)
    assert rate(5) == pytest.approx(0.55)
    assert rate(10) == pytest.approx(1)
    assert rate(55) == pytest.approx(0.5)
    assert rate(100) == pytest.approx(0)


@pytest.mark.parametrize(("n", "batch"), [(11, 8), (12, 4), (3, 2), (5, 9)])
def test_no_image_comes_twice_in_a_step(n, batch):
    per_epoch = -(-n // batch)
    for epoch in range(3):
        steps = range(epoch * per_epoch, (epoch + 1) * per_epoch)
        parts = [rows_apart(step, n, batch, 5) for step in steps]
        assert sorted(np.concatenate(parts)) == list(range(n))
        assert max(map(len, parts)) <= batch
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


# ---- scores ----


def csi_score(bank, queries, **arguments):
    names = ("projections", "shift_logits")
    bank, queries = (
        dict(zip(names, map(np.float32, pair), strict=True)) for pair in (bank, queries)
    )
    return plugins.build("scores", {"kind": "csi", **arguments})(bank, queries)


def test_csi_is_that_of_the_public_code_with_the_sign_turned():
    bank = THEIRS["bank"], THEIRS["bank_logits"]
    own = csi_score(bank, (THEIRS["queries"], THEIRS["query_logits"]))
    assert own == pytest.approx(-np.array(THEIRS["csi"]), abs=1e-5)


RNG = np.random.default_rng(0)
BANK = RNG.normal(size=(6, 3, 4)), RNG.normal(size=(6, 3)) + 4
QUERIES = RNG.normal(size=(5, 3, 4)), RNG.normal(size=(5, 3)) + 4


def test_csi_by_its_definition():
    """By loops: norm times cosine with the nearest training image, and the balance."""
    (zm, fm), (zx, fx) = BANK, QUERIES
    expected = {"contrastive": np.zeros(5), "shift": np.zeros(5)}
    for k in range(3):
        c = np.mean([np.linalg.norm(z[k]) for z in zm])
        for n in range(5):
            norm = np.linalg.norm(zx[n, k])
            cosines = [zx[n, k] @ z[k] / norm / np.linalg.norm(z[k]) for z in zm]
            expected["contrastive"][n] -= norm * max(cosines) / c / 3
            expected["shift"][n] -= fx[n, k] / np.mean(fm[:, k]) / 3
    assert csi_score(BANK, QUERIES) == pytest.approx(sum(expected.values()), rel=1e-5)
    for part, values in expected.items():
        assert csi_score(BANK, QUERIES, parts=[part]) == pytest.approx(values, rel=1e-5)


def test_csi_is_balanced_by_the_bank(monkeypatch):
    plain = csi_score(BANK, QUERIES)
    scale = np.array([7.0, 0.3, 2.0])  # of each shift, in the bank and outside
    larger = [(z * scale[:, None], 5 * f * scale) for z, f in (BANK, QUERIES)]
    assert csi_score(*larger) == pytest.approx(plain, rel=1e-5)
    monkeypatch.setattr("nearnd.scores._projections.BUDGET", 16)  # a row of the bank at a time
    monkeypatch.setattr("nearnd.scores._features.BUDGET", 16)
    assert csi_score(BANK, QUERIES) == pytest.approx(plain, rel=1e-6)


def test_csi_with_one_shift_ranks_as_norm_times_cosine():
    one = [(z[:, :1], np.ones((len(z), 1))) for z, _ in (BANK, QUERIES)]
    both, alone = csi_score(*one), csi_score(*one, parts=["contrastive"])
    assert both == pytest.approx(alone - 1, rel=1e-5)


def test_csi_refuses_shifts_that_nothing_was_learnt_about():
    with pytest.raises(ValueError, match="does not know the shifts of its own training images"):
        csi_score((BANK[0], -BANK[1]), QUERIES)
    with pytest.raises(ValueError, match="parts is"):
        csi_score(BANK, QUERIES, parts=["norm"])


def ssd_score(bank, queries, label=None, **arguments):
    bank = {"features": np.asarray(bank), "label": label}
    score = plugins.build("scores", {"kind": "ssd", **arguments})
    return score(bank, {"features": np.asarray(queries)})


def test_ssd_is_that_of_the_public_code():
    g, q = (unit(theirs(name)).numpy() for name in ("ssd_bank", "ssd_queries"))
    assert ssd_score(g, q) == pytest.approx(np.array(THEIRS["ssd"]), rel=1e-5)
    two = ssd_score(g, q, np.arange(14) // 7, clusters="classes")
    assert two == pytest.approx(np.array(THEIRS["ssd_two"]), rel=1e-4)


def test_ssd_with_clusters_far_apart_is_that_of_the_nearest():
    rng = np.random.default_rng(0)
    groups = [rng.normal(size=(40, 3)) * s + c for s, c in ((1, 0), (3, 50), (0.5, -50))]
    x = np.array([[0.0, 0, 1], [50, 50, 56], [-50, -50, -50]])
    expected = [ssd_score(group, row[None])[0] for group, row in zip(groups, x, strict=True)]
    found = ssd_score(np.concatenate(groups), x, clusters=3)
    assert found == pytest.approx(np.array(expected), rel=1e-4)
    with pytest.raises(ValueError, match="clusters is 9, but the bank has only 5"):
        ssd_score(groups[0][:5], x, clusters=9)


# ---- detectors ----


def test_csi_finds_stripes_at_another_angle():
    normal = pictures(60, 0)
    detector = fitted(csi, normal, epochs=25, batch=30, warm_up=2, temperature=0.5)
    score = plugins.build("scores", {"kind": "csi"})
    bank = detector.embed(normal)
    near, far = (score(bank, detector.embed(pictures(40, s, a))) for s, a in ((1, 0), (2, 0.6)))
    assert auroc(near, far) > 0.9
    f = bank["shift_logits"]
    assert f.mean() > 1  # it knows which rotation it sees


def test_an_embedding_is_the_mean_over_views_drawn_from_the_image_seed():
    normal = pictures(12, 0)
    detector = fitted(csi, normal, epochs=2, batch=6, ensemble=3, jitter=(0, 0, 0, 0), share=0.7)
    seeds = np.arange(12, dtype=np.uint64) * 1000
    found = detector.embed(normal, seeds=seeds)
    u = numbers_of(seeds[4:5], 3, 4, NUMBERS)
    x = torch.from_numpy(normal[4:5]).movedim(-1, 1).float() / 255
    how = Views((0.7, 0.7), (0, 0, 0, 0), 0, False)
    z, right = torch.zeros(4, 8), torch.zeros(4)
    with torch.no_grad():
        for view in range(3):
            for k in range(4):
                image = 2 * seen(rotated(x, k), u[:, view, k], how, 8) - 1
                h, one = detector.net(image)
                z[k] += one[0] / 3
                right[k] += detector.net.shift(h)[0, k] / 3
    assert found["projections"][4] == pytest.approx(z.numpy(), abs=1e-4)
    assert found["shift_logits"][4] == pytest.approx(right.numpy(), abs=1e-4)
    default = detector.embed(normal)
    own = detector.embed(normal, seeds=pixel_seeds(normal))
    for name in found:
        assert (default[name] == own[name]).all()
    assert (default["projections"] != found["projections"]).any()
    assert (default["features"] == found["features"]).all()  # of the image as it is


def test_labels_draw_classes_together_and_the_head_tells_them_apart():
    angles = (0.0, 1.0, 2.0)
    pixels = np.concatenate([pictures(30, 10 + i, a) for i, a in enumerate(angles)])
    labels, turned_by = np.repeat([1, 4, 7], 30), {"shifts": "none", "epochs": 12, "batch": 45}
    detector = fitted(csi_labelled, pixels, labels, head_epochs=20, temperature=0.2, **turned_by)
    test = np.concatenate([pictures(20, 20 + i, a) for i, a in enumerate(angles)])
    logits = detector.embed(test)["logits"]
    assert (logits.argmax(1) == np.repeat(range(3), 20)).mean() > 0.9
    known = {"kind": "class_mahalanobis"}
    detector = fitted(simclr_labelled, pixels, labels, epochs=12, batch=45)
    h = detector.embed(pixels)["features"]
    assert np.linalg.norm(h, axis=1) == pytest.approx(1, rel=1e-5)
    score = plugins.build("scores", known)
    bank = {"features": h, "label": labels}
    near, far = (score(bank, detector.embed(p)) for p in (test, 255 - test))
    assert auroc(near, far) > 0.9


def test_logits_of_labelled_csi_are_those_of_the_class_in_each_rotation():
    pixels, labels = pictures(12, 0), np.repeat([1, 4, 7], 4)
    detector = fitted(csi_labelled, pixels, labels, epochs=1, head_epochs=2, head_lr=1.0, batch=6)
    x = torch.from_numpy(pixels).movedim(-1, 1).float() / 255
    w, b = detector.net.joint.weight, detector.net.joint.bias
    logits = torch.zeros(12, 3)
    with torch.no_grad():
        for k in range(4):
            h = detector.net.trunk(2 * torch.rot90(x, k, (2, 3)) - 1)
            own = slice(3 * k, 3 * k + 3)
            logits += (h @ w[own].T + b[own]) / 4
    assert detector.embed(pixels)["logits"] == pytest.approx(logits.numpy(), abs=1e-4)


@pytest.mark.parametrize("kind", [csi_labelled, simclr_labelled])
def test_one_class_has_no_use_for_labels(kind):
    with pytest.raises(ValueError, match="all normal images are of one class"):
        fitted(kind, pictures(8, 0))


def test_images_that_cannot_be_compared_are_refused():
    with pytest.raises(ValueError, match="needs at least two normal images, all square; it got 1"):
        fitted(simclr, pictures(1, 0))
    with pytest.raises(ValueError, match="it got 6 of 8 x 5"):
        fitted(csi, pictures(6, 0)[:, :, :5])
    detector = fitted(simclr, pictures(6, 0), epochs=1)
    with pytest.raises(ValueError, match="this simclr detector was trained on"):
        detector.embed(pictures(2, 0, side=9))
