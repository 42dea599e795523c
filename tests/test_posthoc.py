"""Labelled detection: a classifier, and the scores that read what it says."""

import numpy as np
import pandas as pd
import pytest

from nearnd import plugins
from nearnd.contracts import Images
from nearnd.files.arrays import save_tensors

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(40, 5)).astype(np.float32) * 4


def score(kind, queries, bank=None, **arguments):
    """The scores of logits (N, K), or of a whole embedding."""
    embedding = queries if isinstance(queries, dict) else {"logits": np.float32(queries)}
    return plugins.build("scores", {"kind": kind, **arguments})(bank or {}, embedding)


# ---- scores of logits ----


def test_worked_by_hand():
    f = np.log([[6, 3, 1]])  # softmax 0.6, 0.3, 0.1
    assert score("msp", f) == pytest.approx([0.4])
    assert score("msp", f, temperature=0.5) == pytest.approx([1 - 36 / 46])
    assert score("max_logit", f) == pytest.approx([-np.log(6)])
    assert score("energy", f) == pytest.approx([-np.log(10)])
    assert score("energy", f, temperature=0.5) == pytest.approx([-0.5 * np.log(36 + 9 + 1)])
    other = {"logits": np.zeros((1, 3), np.float32), "react": np.float32(f)}
    assert score("energy", other, feature="react") == pytest.approx([-np.log(10)])


def test_as_in_pytorch_ood():
    torch = pytest.importorskip("torch")
    ood = pytest.importorskip("pytorch_ood.detector")
    f = torch.from_numpy(LOGITS)
    pairs = [
        (ood.MaxSoftmax(None), score("msp", LOGITS) - 1),
        (ood.MaxLogit(None), score("max_logit", LOGITS)),
        (ood.EnergyBased(None), score("energy", LOGITS)),
        (ood.EnergyBased(None, t=3.0), score("energy", LOGITS, temperature=3.0)),
    ]
    for theirs, ours in pairs:
        assert ours == pytest.approx(theirs.predict_logits(f).numpy(), rel=1e-4, abs=1e-6)


def test_what_a_shift_of_all_logits_does():
    shifted = LOGITS + np.float32(2.5)
    assert score("msp", shifted) == pytest.approx(score("msp", LOGITS), abs=1e-6)
    for kind in ("max_logit", "energy"):
        assert score(kind, shifted) == pytest.approx(score(kind, LOGITS) - 2.5, abs=1e-5)


def test_energy_tends_to_the_largest_logit_as_the_temperature_falls():
    cold = score("energy", LOGITS, temperature=1e-3)
    assert cold == pytest.approx(score("max_logit", LOGITS), abs=0.01)
    bound = score("max_logit", LOGITS)  # max <= logsumexp <= max + log K
    assert (score("energy", LOGITS) <= bound).all()
    assert (score("energy", LOGITS) >= bound - np.log(5) - 1e-5).all()


def test_very_sure_answers_are_still_told_apart():
    f = np.zeros((20, 3))
    f[:, 0] = np.linspace(20, 60, 20)  # 1 - max softmax falls from 4e-9 to 2e-26
    assert (np.diff(score("msp", f)) < 0).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ["msp", "max_logit", "energy", "openmax"])
def test_large_logits_do_not_overflow(kind):
    f = np.array([[1e4, 0, -1e4], [-1e4, -1e4, -1e4], [1e4, 1e4, 1e4]])
    assert np.isfinite(score(kind, f, bank=bank_of_logits(scale=1e3))).all()


@pytest.mark.parametrize("kind", ["msp", "max_logit", "energy"])
def test_one_class_has_no_score(kind):
    with pytest.raises(ValueError, match="at least two classes"):
        score(kind, np.ones((4, 1)))


# ---- class-conditional Mahalanobis ----


def gaussians(n=90, d=6, seed=1):
    """Features of three classes with one covariance that is not round, and far from 0."""
    rng = np.random.default_rng(seed)
    label = np.arange(n) % 3 * 2  # labels 0, 2, 4: a class may be left out
    mix = np.random.default_rng(2).normal(size=(d, d))
    mean = 5 * np.random.default_rng(3).normal(size=(5, d))
    return {"features": rng.normal(size=(n, d)) @ mix + mean[label] + 20, "label": label}


def test_mahalanobis_worked_by_hand():
    # classes at (0, 0) and (10, 0); within them variance 1 along x and 4 along y
    offsets = np.array([[1.0, 2], [1, -2], [-1, 2], [-1, -2]])
    bank = {
        "features": np.concatenate([offsets, offsets + np.array([10, 0])]),
        "label": np.repeat([3, 7], 4),
    }
    queries = {"features": np.array([[0.0, 0], [0, 4], [7, 0], [5, 2]])}
    ours = score("class_mahalanobis", queries, bank)
    assert ours == pytest.approx([0, 4, 9, 26], abs=1e-5)


def test_mahalanobis_as_in_pytorch_ood_up_to_its_scale():
    torch = pytest.importorskip("torch")
    ood = pytest.importorskip("pytorch_ood.detector")
    bank, queries = gaussians(), gaussians(seed=5)["features"]
    theirs = ood.Mahalanobis(None).fit_features(
        torch.from_numpy(bank["features"]).float(), torch.from_numpy(bank["label"] // 2)
    )
    ours = score("class_mahalanobis", {"features": queries}, bank)
    # half the distance, by the sum of squares in place of the covariance
    expected = theirs.predict_features(torch.from_numpy(queries).float()).numpy() * 2 * 90
    assert ours == pytest.approx(expected, rel=1e-3)


def test_mahalanobis_does_not_depend_on_the_coordinates():
    bank, queries = gaussians(), gaussians(seed=5)["features"]
    a, b = np.random.default_rng(6).normal(size=(6, 6)), 3.0
    moved = {"features": bank["features"] @ a + b, "label": bank["label"]}
    before = score("class_mahalanobis", {"features": queries}, bank)
    after = score("class_mahalanobis", {"features": queries @ a + b}, moved)
    assert after == pytest.approx(before, rel=1e-6)


def test_mahalanobis_ignores_a_unit_that_is_always_off():
    bank, queries = gaussians(), gaussians(seed=5)["features"]
    dead = bank | {"features": np.c_[bank["features"], np.zeros(90)]}
    before = score("class_mahalanobis", {"features": queries}, bank)
    after = score("class_mahalanobis", {"features": np.c_[queries, np.ones(90)]}, dead)
    assert after == pytest.approx(before, rel=1e-6)


# ---- OpenMax ----


def bank_of_logits(n=300, k=3, scale=1.0, seed=7):
    """Logits that are right for all but the first image of each class, which is far off."""
    label = np.arange(n) % k
    noise = np.random.default_rng(seed).normal(size=(n, k))
    logits = scale * (8 * np.eye(k)[label] + noise)
    logits[:k] = -scale * 1e3 * np.eye(k)
    return {"logits": logits.astype(np.float32), "label": label + 4}


def test_openmax_unknown_rises_with_the_distance_from_the_class():
    away = np.linspace(0, 12, 25)  # beyond (8, 0, 0), about the mean of the first class
    f = np.stack([8 + away, 0 * away, 0 * away], axis=1)
    unknown = score("openmax", f, bank_of_logits())
    assert (np.diff(unknown) > -1e-3).all()
    assert unknown[0] < 0.02
    assert unknown[-1] > 0.98


def test_openmax_leaves_out_images_that_are_classified_wrongly():
    bank = bank_of_logits()
    right = bank["logits"].argmax(axis=1) == bank["label"] - 4
    assert not right.all()
    some = {name: array[right] for name, array in bank.items()}
    assert (score("openmax", LOGITS[:, :3], bank) == score("openmax", LOGITS[:, :3], some)).all()


def test_openmax_of_the_mean_by_hand():
    bank = bank_of_logits(n=303)
    rows = bank["logits"][3:]
    query = np.array([[2.0, 1.0, 0.0]], np.float32)
    inside = []  # W_c by the definition, from the published library's fit
    stats = pytest.importorskip("scipy.stats")
    for c in range(3):
        own = rows[c::3].astype(float)
        distance = np.sort(np.linalg.norm(own - own.mean(0), axis=1))[-20:]
        moved = distance - distance[0] + 1e4
        shape, _, scale = stats.weibull_min.fit(moved, floc=0)
        d = np.linalg.norm(query[0] - own.mean(0)) - distance[0] + 1e4
        inside.append(stats.weibull_min.cdf(d, shape, 0, scale))
    lost = query[0] * inside * np.array([1, 2 / 3, 1 / 3])
    revised = np.r_[query[0] - lost, lost.sum()]
    expected = np.exp(revised[3]) / np.exp(revised).sum()
    assert score("openmax", query, bank) == pytest.approx([expected], abs=2e-3)


def test_openmax_as_in_pytorch_ood():
    torch = pytest.importorskip("torch")
    ood = pytest.importorskip("pytorch_ood.detector")
    bank = bank_of_logits(n=303)
    right, label = bank["logits"][3:], bank["label"][3:] - 4
    queries = RNG.normal(size=(60, 3)).astype(np.float32) * 4  # of each class, see openmax.py
    theirs = ood.OpenMax(None, tailsize=20, alpha=3)
    theirs.fit_logits(torch.from_numpy(right), torch.from_numpy(label))
    expected = theirs.predict_logits(torch.from_numpy(queries)).numpy()
    assert score("openmax", queries, bank) == pytest.approx(expected, abs=1e-3)


def test_the_weibull_law_is_the_most_likely_one():
    stats = pytest.importorskip("scipy.stats")
    from nearnd.scores.openmax import weibull_tail

    for unit in (1e-2, 1.0, 1e3):
        distances = unit * (1 + np.random.default_rng(8).random(200))
        tail = np.sort(distances)[-20:]
        law = weibull_tail(distances, 20)
        moved = tail - tail[0] + 1e4
        low, high = law(tail[[5, 15]])  # two points of the law give shape and scale
        u = np.log(-np.log1p(-np.array([low, high])))
        shape = np.diff(u)[0] / np.log(moved[15] / moved[5])
        scale = moved[5] / np.exp(u[0] / shape)
        best = stats.weibull_min.logpdf(moved, shape, 0, scale).sum()
        for factor in (0.98, 1.02):
            other = stats.weibull_min.logpdf(moved, shape * factor, 0, scale).sum()
            assert other < best
        step = (scale - 1e4) * 0.02
        for other in (scale - step, scale + step):
            assert stats.weibull_min.logpdf(moved, shape, 0, other).sum() < best


def test_openmax_says_what_it_lacks():
    bank = bank_of_logits()
    two = {name: array[bank["label"] < 6] for name, array in bank.items()}
    with pytest.raises(ValueError, match=r"2 classes.*of 3.*full"):
        score("openmax", LOGITS[:, :3], two)
    wrong = bank | {"label": np.roll(bank["label"], 1)}
    with pytest.raises(ValueError, match="classified correctly"):
        score("openmax", LOGITS[:, :3], wrong)
    with pytest.raises(ValueError, match="alpha"):
        plugins.build("scores", {"kind": "openmax", "alpha": 0})


# ---- the classifier ----


def stripes(n, seed, flat=False):
    """Grey images 8x8 of labels 3, 5 and 9: a bright third, by label; or noise."""
    rng = np.random.default_rng(seed)
    labels = np.array([3, 5, 9])[np.arange(n) % 3]
    pixels = rng.integers(0, 100, (n, 8, 8, 1))
    if not flat:
        for i in range(n):
            pixels[i, :, 1 + 2 * (i % 3) : 3 + 2 * (i % 3)] += 120
    return Images(pixels.astype(np.uint8), labels, np.arange(n).astype(str))


def fitted(**options):
    short = {"depth": 10, "width": 1, "epochs": 12, "batch": 32, "shift": 0, "flip": False}
    detector = plugins.build("detectors", {"kind": "classifier", **short, **options})
    detector.fit(stripes(96, 0), outliers=None, backbone=None, seed=0, folder=None)
    return detector


@pytest.fixture(scope="module")
def detector():
    return fitted()


def test_it_learns_the_classes_in_the_order_of_their_labels(detector):
    test = stripes(60, 1)
    guess = detector.embed(test.pixels)["logits"].argmax(axis=1)
    assert (np.array([3, 5, 9])[guess] == test.labels).mean() > 0.95


@pytest.mark.parametrize(
    ("spec", "auroc"),
    [
        ({"kind": "msp"}, 0.95),
        ({"kind": "max_logit"}, 0.95),
        ({"kind": "energy"}, 0.95),
        ({"kind": "energy", "feature": "react"}, 0.95),
        ({"kind": "head", "feature": "odin"}, 0.95),
        ({"kind": "class_mahalanobis"}, 0.95),
        ({"kind": "openmax"}, 0.7),  # small logits leave little for the unknown class
        ({"kind": "knn"}, 0.95),
    ],
)
def test_noise_is_novel_to_every_score(detector, spec, auroc):
    train = stripes(96, 0)
    bank = detector.embed(train.pixels) | {"label": train.labels}
    known, noise = (detector.embed(stripes(60, 1, flat).pixels) for flat in (False, True))
    method = plugins.build("scores", spec)
    below = method(bank, known)[:, None] < method(bank, noise)
    assert below.mean() > auroc


def test_odin_without_step_and_temperature_is_msp(detector):
    plain = fitted(temperature=1.0, eps=0.0)
    queries = plain.embed(stripes(60, 1, flat=True).pixels)
    assert queries["odin"] == pytest.approx(score("msp", queries), rel=1e-4, abs=1e-7)
    full = detector.embed(stripes(60, 1, flat=True).pixels)
    assert (full["logits"] == queries["logits"]).all()  # the same network
    assert np.abs(full["odin"] - queries["odin"]).mean() > 0.1  # at T = 1000 all are near 1 - 1/3


def test_odins_step_makes_the_answer_surer(detector):
    import torch

    from nearnd.detectors.classifier import stepped
    from nearnd.networks.transform import view

    x = view(stripes(30, 1, flat=True).pixels, detector.how)
    std = torch.tensor(detector.how.std)[:, None, None]
    moved = stepped(detector.net, x.clone(), std, 1.0, 0.0014)
    assert ((moved - x).abs() * std <= 0.0014 * 1.001).all()  # in units of pixels in [0, 1]
    before, after = (score("msp", detector.net(images).detach().numpy()) for images in (x, moved))
    assert (after < before).all()


def test_react_cuts_at_the_percentile_of_the_training_features(detector):
    queries = detector.embed(stripes(96, 0).pixels)
    over = queries["features"] > detector.facts["clip"]  # (N, D)
    assert over.mean() == pytest.approx(0.1, abs=0.01)
    changed = (queries["react"] != queries["logits"]).any(axis=1)
    assert (changed == over.any(axis=1)).all()
    uncut = fitted(percentile=100.0)  # so that no training image is cut
    queries = uncut.embed(stripes(96, 0).pixels)
    assert (score("energy", queries, feature="react") == score("energy", queries)).all()


def test_a_backbone_in_place_of_the_wide_network(tmp_path):
    size = {"img_size": 8, "patch_size": 2, "in_chans": 1, "embed_dim": 32, "depth": 2}
    entry = {"kind": "timm", "model": "vit_tiny_patch16_224", "weights": "none", "mean": 0.5}
    backbone = plugins.build("backbones", entry | {"kwargs": size | {"num_heads": 2}, "std": 0.5})
    none = {"seed": 0, "folder": tmp_path, "progress": lambda *_, **__: None}
    weights, facts = backbone.make(None, [], **none)
    save_tensors(tmp_path / "vit", weights, **facts)
    spec = {"kind": "classifier", "epochs": 1, "lr": 1e-12, "weight_decay": 0.0}
    detector = plugins.build("detectors", spec)
    detector.fit(stripes(96, 0), outliers=None, backbone=tmp_path / "vit", seed=0, folder=None)
    frozen = plugins.build("detectors", {"kind": "frozen"})
    frozen.fit(None, backbone=tmp_path / "vit")
    pixels = stripes(60, 1).pixels
    known = detector.embed(pixels)
    # so small a learning rate leaves the features as they are
    assert known["features"] == pytest.approx(frozen.embed(pixels)["features"], abs=1e-5)
    assert known["logits"].shape == (60, 3)
    detector.save(tmp_path / "file")
    again = plugins.build("detectors", {"kind": "classifier"})
    again.load(tmp_path / "file")
    for name, array in again.embed(pixels).items():
        assert (array == known[name]).all()


def test_one_class_is_refused_in_words():
    one = stripes(96, 0).rows(np.arange(0, 96, 3))
    detector = plugins.build("detectors", {"kind": "classifier"})
    with pytest.raises(ValueError, match=r"one class.*normals: all"):
        detector.fit(one, outliers=None, backbone=None, seed=0, folder=None)


def test_the_published_network():
    from nearnd.detectors.classifier import Trunk

    facts = {"depth": 40, "width": 2, "dropout": 0.3, "channels": 3}
    weights = sum(p.numel() for p in Trunk(facts).parameters())
    assert weights + 128 * 10 + 10 == 2_243_546  # with the head


# ---- external sets ----


def test_noise_has_the_published_laws():
    def pixels(pattern):
        entry = {"kind": "noise", "pattern": pattern, "size": 16, "n": 60}
        return plugins.build("datasets", entry).read({})[0]["test"].pixels.astype(float)

    gaussian = pixels("gaussian") / 127.5 - 1
    stats = pytest.importorskip("scipy.stats")
    cut = 2 * stats.norm.sf(2)  # beyond -1 and 1, two standard deviations
    assert (abs(gaussian) == 1).mean() == pytest.approx(cut, abs=0.004)
    inside = gaussian[abs(gaussian) < 0.99] / 0.5
    law = stats.truncnorm(-1.98, 1.98)
    assert inside.std() == pytest.approx(law.std(), rel=0.01)
    assert set(np.unique(pixels("rademacher"))) == {0, 255}
    assert pixels("rademacher").mean() == pytest.approx(127.5, abs=1)
    blobs = pixels("blobs")
    light = blobs > 0
    assert blobs[light].min() >= np.floor(0.75 * 255)
    same = light[:, :, 1:] == light[:, :, :-1]  # neighbours belong to one blob more often
    assert same.mean() > 0.8


def test_the_table_per_test_set_has_each_mean():
    rows = [
        {"dataset": "d", "normal": normal, "method": method, "test": test, "seed": seed,
         "metric": "auroc", "anomaly": "rest", "value": value + bonus + seed / 100}
        for method, bonus in (("m", 0.0), ("n", 0.1))
        for test, value in (("x.test", 0.5), ("y.test", 0.8))
        for seed in (0, 2)
        for normal in ("a", "b")
    ]  # fmt: skip
    data = {"metrics": pd.DataFrame(rows), "labels": {"m": "M", "x": "X"}}
    table = plugins.build("tables_figures", {"kind": "per_test"})(data)
    assert table.to_dict("records") == [
        {"method": "M", "X": "51.0 ± 1.4", "y": "81.0 ± 1.4", "mean": "66.0 ± 1.4", "runs": 2},
        {"method": "n", "X": "61.0 ± 1.4", "y": "91.0 ± 1.4", "mean": "76.0 ± 1.4", "runs": 2},
    ]
    figure = plugins.build("tables_figures", {"kind": "auroc_per_test"})(data)
    (axes,) = figure.axes
    shown = sorted(
        x for line in axes.get_lines() for x in line.get_xdata() if len(line.get_xdata()) == 2
    )
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([66, 76])
    assert set(np.round(shown, 6)) >= {51.0, 81.0, 61.0, 91.0}
