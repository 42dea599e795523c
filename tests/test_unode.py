"""UNODE: hard augmentations, AutoAugOOD, losses, scores, its detectors.

`fixtures/unode` has values of the public code on small tensors.
"""

import json
import typing
from pathlib import Path

import numpy as np
import pytest
import torch
from stripes import stripes
from torch.nn import functional as F

from nearnd import plugins
from nearnd.contracts import Images
from nearnd.detectors import (
    _augood,
    _contrastive,
    _trained,
    unode,
    unode_labelled,
    unode_pretrained,
)
from nearnd.detectors._trained import Given
from nearnd.files.arrays import load_tensors, save_tensors
from nearnd.networks import hard
from nearnd.networks.contrastive import nt_xent, nt_xent_of_normal
from nearnd.networks.hard import FROM_OUTLIERS, HARD, Beside, hardened

THEIRS = json.loads((Path(__file__).parent / "fixtures/unode/values.json").read_text())
SMALL = {"code": 8, "optimizer": "adamw", "lr": 3e-3, "weight_decay": 0, "warm_up": 1}
CALM = {"scale": (0.5, 1.0), "jitter": (0.2, 0.2, 0, 0), "grey": 0, "flip": False}
TINY = {"depth": 10, "width": 4}
OWN = [name for name in HARD if name not in FROM_OUTLIERS]


def theirs(name):
    return torch.tensor(THEIRS[name], dtype=torch.float64)


def images(pixels, labels=None):
    labels = np.zeros(len(pixels), np.int64) if labels is None else labels
    return Images(pixels, labels, np.arange(len(pixels)).astype(str))


def fitted(kind, pixels, labels=None, seed=0, given=None, **options):
    small = SMALL | CALM | ({} if kind is unode_pretrained else TINY)
    detector = kind.build(**small | options)
    detector.fit(images(pixels, labels), seed=seed, **(given or {}))
    return detector


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    """The file of a small untrained network."""
    kind = {"kind": "timm"} | plugins.constant("backbones", "timm", "TOY")
    folder = tmp_path_factory.mktemp("vit")
    weights, facts = plugins.build("backbones", kind).make(
        None, [], seed=0, folder=folder, progress=lambda *_, **__: None
    )
    save_tensors(folder / "vit", weights, **facts)
    return folder / "vit"


def score(kind, bank, queries, **arguments):
    return plugins.build("scores", {"kind": kind, **arguments})(bank, queries)


def auroc(low, high):
    return (high[:, None] > low).mean() + (high[:, None] == low).mean() / 2


# ---- hard augmentations ----


def beside(x, seed=0):
    rng = np.random.default_rng(seed)
    _, c, side, _ = x.shape
    pixels = rng.integers(0, 256, (3, side, side, c)).astype(np.uint8)
    return Beside(torch.from_numpy(rng.random(x.shape, np.float32)), pixels)


@pytest.mark.parametrize("name", HARD)
@pytest.mark.parametrize(("channels", "side"), [(1, 8), (3, 9), (3, 32)])
def test_each_keeps_shape_and_range_and_changes_each_image_by_itself(name, channels, side):
    x = torch.rand(40, channels, side, side, generator=torch.Generator().manual_seed(0))
    before, besides = x.clone(), beside(x)
    torch.manual_seed(1)
    y = HARD[name](x, besides)
    assert (x == before).all()  # what is given stays
    assert y.shape == x.shape
    assert y.dtype == torch.float32
    assert 0 <= float(y.min()) <= float(y.max()) <= 1
    torch.manual_seed(1)
    assert (HARD[name](x, besides) == y).all()  # the same seed, the same images
    torch.manual_seed(2)
    other = HARD[name](x, besides)
    assert name == "sobel" or (other != y).any()
    changed = ((y - x).abs().amax((1, 2, 3)) > 1e-3).float().mean()
    assert changed > (0.3 if name == "autoaugment" else 0.7)
    one = HARD[name](x[:1], besides._replace(others=besides.others[:1]))
    assert one.shape == x[:1].shape


def test_turns_and_swaps_are_one_of_three():
    x = torch.rand(300, 1, 4, 4)
    turns = [torch.rot90(x, k, (2, 3)) for k in (1, 2, 3)]
    swaps = [x.roll(2, 3), x.roll(2, 2), x.roll((2, 2), (2, 3))]
    for name, family in (("rotation", turns), ("permute", swaps)):
        y = HARD[name](x, None)
        which = torch.stack([(y == one).all((1, 2, 3)) for one in family])  # (3, 300)
        assert (which.sum(0) == 1).all()
        assert (which.sum(1) > 60).all()


def test_a_cut_out_box_is_black_and_a_sixth_to_a_fourth_of_the_image():
    x = torch.full((500, 1, 48, 48), 0.5)
    black = hard.cutout(x, None)[:, 0] == 0
    for axis in (1, 2):
        long = black.any(axis).sum(1)
        assert int(long.min()) == 8
        assert int(long.max()) == 11  # up to a fourth, which is left out, as in the public code
    assert (black.sum((1, 2)) == black.any(1).sum(1) * black.any(2).sum(1)).all()  # boxes
    assert black.any(0).any(0).all()  # anywhere
    assert black.any(0).any(1).all()


def test_what_is_pasted_is_a_part_of_the_image_turned_about_its_centre():
    """By torchvision: a layer with a box of the image in it, and the box, both turned."""
    from torchvision.transforms.functional import rotate

    side, angle = 9, 30.0
    x = torch.rand(1, 2, side, side)
    row, column = hard._turned(side, torch.tensor([angle * torch.pi / 180]))
    corner, sides, source = torch.tensor([[3, 2]]), torch.tensor([[4, 3]]), (1, 5)
    inside = hard._inside(row, column, corner, sides)[0, 0]
    layer, mask = torch.zeros(2, side, side), torch.zeros(1, side, side)
    layer[:, 3:7, 2:5], mask[:, 3:7, 2:5] = x[0, :, 1:5, 5:8], 1
    assert (inside == (rotate(mask, -angle)[0] == 1)).all()
    seen = x[0][:, (row[0] - 3 + source[0]).clamp(0, 8), (column[0] - 2 + source[1]).clamp(0, 8)]
    assert (seen[:, inside] == rotate(layer, -angle)[:, inside]).all()


def test_a_paste_shows_values_of_the_image_alone_and_leaves_the_rest():
    x = torch.rand(200, 1, 32, 32)
    y = hard.cutpaste(x, None)
    changed = y != x
    for before, after in zip(x, y, strict=True):
        assert np.isin(after.numpy(), before.numpy()).all()
    share = changed.float().mean((1, 2, 3))
    assert 0.01 < float(share.mean()) < 0.08
    assert float(share.max()) < 0.35**2


def test_edges_blur_and_noise_by_their_definitions():
    x = torch.zeros(1, 1, 8, 8)
    x[..., 4:] = 0.5  # a step between columns 3 and 4
    edge = hard.sobel(x, None)[0, 0]
    assert (edge[:, 3:5] == 1).all()
    assert (edge[:, [0, 1, 2, 5, 6, 7]] == 0).all()
    assert (hard.sobel(torch.full((1, 1, 8, 8), 0.3), None) == 0).all()  # no edge, no number / 0
    dot = torch.zeros(2000, 1, 33, 33)
    dot[:, :, 16, 16] = 1
    y, at = hard.blur(dot, None), torch.arange(33) - 16.0
    assert torch.allclose(y.sum((1, 2, 3)), torch.ones(2000), atol=1e-5)
    variance = (y.sum((1, 2)) * at**2).sum(1)  # of each image, pixels^2
    assert float(variance.min().sqrt()) == pytest.approx(33 / 32, rel=0.03)
    assert float(variance.max().sqrt()) == pytest.approx(33 / 16, rel=0.05)
    noisy = hard.noise(torch.full((50, 3, 32, 32), 0.5), None)
    assert float(noisy.std()) == pytest.approx(0.2, rel=0.02)


@pytest.mark.parametrize(
    ("name", "low", "high"), [("mixup", 0.3, 0.7), ("mixup_outliers", 0.02, 0.1)]
)
def test_a_mixture_has_its_share_of_the_image(name, low, high):
    x = torch.ones(3000, 1, 2, 2)
    black = Beside(torch.zeros_like(x), np.zeros((2, 2, 2, 1), np.uint8))
    share = HARD[name](x, black)[:, 0, 0, 0]
    assert low <= float(share.min()) <= float(share.max()) <= high
    assert float(share.mean()) == pytest.approx((low + high) / 2, rel=0.03)


def test_outliers_stand_in_the_place_of_images():
    pixels = np.array([[[[0]]], [[[51]]], [[[255]]]], np.uint8)
    y = hard.outliers(torch.full((600, 1, 1, 1), 0.7), Beside(None, pixels)).flatten()
    values, counts = np.unique(y.numpy(), return_counts=True)
    assert values == pytest.approx([0, 0.2, 1])
    assert counts.min() > 150


# ---- which are drawn, and how many ----


@pytest.fixture
def marks(monkeypatch):
    """Three augmentations that leave a trace: each multiplies by 10 and adds its number."""
    for k, name in enumerate("abc", 1):
        monkeypatch.setitem(HARD, name, lambda x, beside, k=k: 10 * x + k)


def traces(weights, most, n=6000):
    x = torch.zeros(n, 1, 1, 1)
    torch.manual_seed(0)
    y = hardened(x, Beside(x, None), "abc", weights, most).flatten().int().tolist()
    found = [str(one) for one in y]
    return {trace: found.count(trace) / n for trace in set(found)}


def test_how_many_is_uniform_and_none_comes_twice(marks):
    found = traces([0.5, 0.3, 0.2], None)
    for count in (1, 2, 3):
        share = sum(p for trace, p in found.items() if len(trace) == count)
        assert share == pytest.approx(1 / 3, abs=0.025)
    assert all(len(set(trace)) == len(trace) for trace in found)
    assert set(traces([0.5, 0.3, 0.2], 2)) == {"1", "2", "3", "12", "21", "13", "31", "23", "32"}


def test_which_are_in_proportion_to_their_weights(marks):
    w = {"1": 0.5, "2": 0.3, "3": 0.2}
    alone = traces(list(w.values()), 1)
    assert alone == pytest.approx(w, abs=0.025)
    found = traces(list(w.values()), None)
    for a, b in ("12", "13", "21", "23", "31", "32"):  # without replacement, in the order drawn
        expected = w[a] * w[b] / (1 - w[a]) / 3
        assert found[a + b] == pytest.approx(expected, abs=0.02)
    assert set(traces([0, 1, 0], None)) == {"2"}  # what has no weight is never drawn


def test_an_image_is_mixed_with_another_one():
    pixels = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 1), np.uint8)
    detector, given = unode.build(**TINY), Given(images(pixels))
    for seed in range(20):
        torch.manual_seed(seed)
        others = detector.beside(given, np.array([0, 3, 4])).others[:, 0, 0, 0] * 255
        assert (others.round() != torch.tensor([0, 3, 4])).all()


# ---- AutoAugOOD ----


def test_divergence_and_weights_are_those_of_the_public_notebook():
    """Its divergence goes one way, the paper's both."""
    p, q = (np.array(THEIRS[name]) / sum(THEIRS[name]) for name in "pq")
    assert _augood.jeffreys(p, q) == pytest.approx(THEIRS["kl_pq"] + THEIRS["kl_qp"], rel=1e-6)
    assert _augood.jeffreys(q, p) == pytest.approx(_augood.jeffreys(p, q))
    assert _augood.jeffreys(p, p) == 0
    assert _augood.softmax(np.array(THEIRS["j"])) == pytest.approx(THEIRS["weights"], abs=1e-6)


@pytest.mark.parametrize(("away", "wide"), [(1.0, 1.0), (0.5, 1.0), (0.3, 0.9)])
def test_the_divergence_of_two_gaussians(away, wide):
    """KL(p|q) + KL(q|p) of N(0, 1) and N(m, s^2), of densities that Gaussians widen alike."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, 20000), rng.normal(away, wide, 20000)
    at, width = _augood.points([a, b])
    p, q = (_augood.densities(x, at, width) for x in (a, b))
    s, t = 1 + width**2, wide**2 + width**2  # variances
    expected = ((s + away**2) / t + (t + away**2) / s) / 2 - 1
    assert _augood.jeffreys(p, q) == pytest.approx(expected, rel=0.1)
    assert p.sum() == pytest.approx(1)
    assert (at * p).sum() == pytest.approx(a.mean(), abs=1e-3)


def test_what_moves_features_far_diverges_more_and_the_same_seed_gives_the_same():
    rng = np.random.default_rng(0)
    h = rng.normal(size=(80, 6))
    copies = [h + rng.normal(0, 0.05, h.shape), h + 12.0]
    near, far = _augood.divergences(h, copies, seed=3)
    assert far > 5 > 1 > near >= 0
    assert (_augood.divergences(h, copies, seed=3) == [near, far]).all()


def test_the_line_of_few_points_is_finite():
    line = _augood.on_a_line([np.eye(4)[:2], np.eye(4)[2:]], seed=0)
    assert np.isfinite(np.concatenate(line)).all()
    assert [len(part) for part in line] == [2, 2]


@pytest.mark.parametrize("channels", [1, 3])
def test_weights_are_of_training_images_and_stand_in_the_file_and_the_log(
    channels, vit, tmp_path, caplog
):
    pixels = stripes(30, 0, channels=channels)
    names = ["noise", "sobel", "mixup"]
    options = {"hard": names, "epochs": 1, "batch": 15, "given": {"judge": vit}}
    with caplog.at_level("INFO", "nearnd"):
        detector = fitted(unode, pixels, **options)
    detector.save(tmp_path / "file")
    kept = load_tensors(tmp_path / "file")[1]["hard"]
    assert kept["names"] == names
    j = np.array(kept["divergences"])
    assert kept["weights"] == pytest.approx(np.exp(j) / np.exp(j).sum())
    for name, weight in zip(names, kept["weights"], strict=True):
        assert f"hard augmentation {name}: weight {weight:.4g}, divergence" in caplog.text
    assert fitted(unode, pixels, **options).facts["hard"] == kept
    other = fitted(unode, stripes(30, 5, angle=1.0, channels=channels), **options)
    assert other.facts["hard"]["divergences"] != kept["divergences"]
    few = fitted(unode, pixels, **options, looked_at=10)
    assert few.facts["hard"]["divergences"] != kept["divergences"]


def test_without_a_judge_weights_are_equal_or_those_of_the_entry():
    pixels = stripes(8, 0)
    equal = fitted(unode, pixels, epochs=1).facts["hard"]
    assert equal["weights"] == [1 / 8] * 8
    assert equal["divergences"] is None
    shares = fitted(unode, pixels, epochs=1, hard={"rotation": 3, "noise": 1}).facts["hard"]
    assert shares["names"] == ["rotation", "noise"]
    assert shares["weights"] == [0.75, 0.25]


def test_a_config_may_name_every_hard_augmentation_and_no_other():
    annotation = plugins.types("detectors", "unode")["hard"]
    (of,) = typing.get_args(typing.get_args(annotation)[0])
    assert set(typing.get_args(of)) == set(HARD)
    assert set(plugins.defaults("detectors", "unode")["hard"]) == set(OWN) - {"autoaugment"}
    entry = {"kind": "unode", "hard": ["rotate"]}
    with pytest.raises(ValueError, match=r"hard is \['rotate'\]; it may be a list.*rotation or"):
        plugins.check_entry("detectors", "x", entry)


# ---- losses ----


def test_the_loss_is_that_of_the_public_code():
    """16 rows: in two views, 4 normal images and a hard copy of each."""
    z, f = theirs("z"), theirs("f").flip(1)  # their columns: hard, normal
    detector = unode.build(**TINY, hard=["noise"])
    detector.facts = {"hard": {"names": ["noise"]}}
    detector.net = torch.nn.Module()
    detector.net.head = torch.nn.Identity()
    own = float(detector.loss(f.float(), z, torch.zeros(8)))
    assert own == pytest.approx(THEIRS["nt_xent"] + THEIRS["cross_entropy"], rel=1e-6)
    for loss, term in (("contrastive", "nt_xent"), ("classified", "cross_entropy")):
        detector.losses = [loss]
        own = float(detector.loss(f.float(), z, torch.zeros(8)))
        assert own == pytest.approx(THEIRS[term], rel=1e-6)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_loss_as_the_paper_writes_it_by_loops(n):
    g, t = torch.Generator().manual_seed(n), 0.4
    z = F.normalize(torch.randn(4 * n, 5, generator=g, dtype=torch.float64))
    place = {key: i for i, key in enumerate(
        (v, kind, i) for v in range(2) for kind in ("normal", "hard") for i in range(n)
    )}  # fmt: skip
    total = 0.0
    for v in range(2):
        for i in range(n):
            anchor = z[place[v, "normal", i]]
            up = float((anchor @ z[place[1 - v, "normal", i]] / t).exp())
            down = sum(
                float((anchor @ z[place[w, "hard", k]] / t).exp())
                for w in range(2) for k in range(n) if k != i
            )  # fmt: skip
            total -= np.log(up / (up + down)) / (2 * n)
    assert float(nt_xent_of_normal(z, t)) == pytest.approx(total, rel=1e-9, abs=1e-12)


def test_without_hard_augmentations_it_is_simclr():
    z = F.normalize(torch.randn(12, 4, generator=torch.Generator().manual_seed(0)))
    detector = unode.build(**TINY, hard=[], temperature=0.3)
    detector.facts = {"hard": {"names": []}}
    own = float(detector.loss(torch.zeros(12, 32), z, torch.zeros(12)))
    assert own == pytest.approx(float(nt_xent(z, 0.3)), rel=1e-6)


def test_with_labels_the_head_sees_normal_images_alone():
    detector = unode_labelled.build(**TINY, hard=["noise"], losses=["classified"])
    detector.facts = {"hard": {"names": ["noise"]}}
    detector.net = torch.nn.Module()
    detector.net.head = torch.nn.Identity()
    h = torch.randn(12, 3, generator=torch.Generator().manual_seed(0))  # 3 images
    y = [2, 0, 1]
    told = [float(-h[row].log_softmax(0)[c]) for view in (0, 6) for row, c in
            zip(range(view, view + 3), y, strict=True)]  # fmt: skip
    own = float(detector.loss(h, h, torch.tensor(y).repeat(2)))
    assert own == pytest.approx(np.mean(told), rel=1e-6)


def test_a_step_shows_images_and_hard_copies_in_two_views():
    pixels = stripes(6, 0)
    detector = unode.build(**TINY, hard=["outliers"], scale=(1.0, 1.0), jitter=(0, 0, 0, 0), grey=0,
                           flip=False, batch=4)  # fmt: skip
    given = Given(images(pixels), outliers=np.full((2, 8, 8, 1), 255, np.uint8))
    torch.manual_seed(0)
    detector.prepare(given)
    x, rows = detector.shower(given, copies=2)(0)
    assert len(rows) == 3  # 6 images in two batches
    own = 2 * torch.from_numpy(pixels[rows]).movedim(-1, 1).float() / 255 - 1
    for part, expected in zip(x.split(3), (own, torch.ones(3, 1, 8, 8)) * 2, strict=True):
        assert torch.allclose(part, expected, atol=1e-3)


# ---- scores ----


def arrays(name, turned=False):
    """The bank or queries, whose logits are normal's and hard's; theirs stand the other way."""
    logits = np.float32(THEIRS[f"{name}_logits"])[:, ::-1]
    which = "bank" if name == "bank" else "queries"
    return {"projections": np.float32(THEIRS[which])[:, None], "hard_logits": logits}


def test_the_released_score_is_that_of_the_public_code_with_the_sign_turned():
    own = score("unode", arrays("bank"), arrays("query"), of="logit")
    assert own == pytest.approx(-np.array(THEIRS["score"]), abs=1e-5)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_the_score_of_the_paper_by_loops():
    """O_sim + lambda O_bin with lambda = mean |z| / mean O_bin, here over mean |z|."""
    bank, x = arrays("bank"), arrays("query")
    zm, zx = (part["projections"][:, 0].astype(float) for part in (bank, x))
    pm, px = (
        sigmoid(p["hard_logits"][:, 0] - p["hard_logits"][:, 1].astype(float)) for p in (bank, x)
    )
    c = np.mean([np.linalg.norm(m) for m in zm])
    for cosine in (True, False):
        similar = [
            max(q @ m / np.linalg.norm(m) for m in zm) / (np.linalg.norm(q) if cosine else 1)
            for q in zx
        ]
        expected = -(np.array(similar) + c / pm.mean() * px) / c
        assert score("unode", bank, x, cosine=cosine) == pytest.approx(expected, rel=1e-5)
        alone = score("unode", bank, x, cosine=cosine, parts=["similarity"])
        assert alone == pytest.approx(-np.array(similar) / c, rel=1e-5)
    binary = score("unode", bank, x, parts=["certainty"])
    assert (np.argsort(binary) == np.argsort(-px)).all()


def test_the_head_alone_has_no_ties_where_probabilities_have():
    bank = {"projections": np.ones((2, 1, 3), np.float32)}
    sure = {"hard_logits": np.float32([[60, -60], [80, -60]])}
    found = score("unode", bank | sure, bank | sure, parts=["certainty"])
    assert found[0] > found[1]


def test_a_head_that_knows_nothing_of_normal_images_is_refused_by_the_released_score():
    bank = arrays("bank")
    bank["hard_logits"] = -bank["hard_logits"]
    with pytest.raises(ValueError, match="takes its own training images for hard-augmented"):
        score("unode", bank, arrays("query"), of="logit")
    assert np.isfinite(score("unode", bank, arrays("query"))).all()
    with pytest.raises(ValueError, match="parts is"):
        score("unode", bank, arrays("query"), parts=[])


def test_the_labelled_score_by_loops():
    rng = np.random.default_rng(0)
    bank, x = ({"projections": rng.normal(size=(n, 1, 4)).astype("f4"),
                "logits": rng.normal(size=(n, 3)).astype("f4")} for n in (6, 5))  # fmt: skip
    zm, zx = (part["projections"][:, 0].astype(float) for part in (bank, x))
    pm, px = (np.exp(p["logits"].astype(float)) for p in (bank, x))
    pm, px = (p.max(1) / p.sum(1) for p in (pm, px))
    c = np.linalg.norm(zm, axis=1).mean()
    similar = np.array([max(q @ m / np.linalg.norm(m) for m in zm) for q in zx])
    assert score("unode_labelled", bank, x) == pytest.approx(
        -similar / c - px / pm.mean(), rel=1e-5
    )


# ---- detectors ----


def test_unode_finds_stripes_at_another_angle_and_its_head_knows_hard_ones():
    normal = stripes(60, 0)
    detector = fitted(unode, normal, epochs=25, batch=30, hard=["rotation", "permute"])
    bank = detector.embed(normal)
    test, far = stripes(40, 1), stripes(40, 2, angle=0.8)
    near, away = (score("unode", bank, detector.embed(x)) for x in (test, far))
    assert auroc(near, away) > 0.9
    turned = detector.embed(np.rot90(test, axes=(1, 2)).copy())["hard_logits"]
    plain = detector.embed(test)["hard_logits"]
    assert ((plain[:, 0] > plain[:, 1]).mean() + (turned[:, 1] > turned[:, 0]).mean()) / 2 > 0.9


def test_labels_are_told_apart_by_the_head():
    angles = (0.0, 1.0, 2.0)
    pixels = np.concatenate([stripes(30, 10 + i, a) for i, a in enumerate(angles)])
    labels = np.repeat([1, 4, 7], 30)
    detector = fitted(unode_labelled, pixels, labels, epochs=60, batch=45, hard=["noise"])
    test = np.concatenate([stripes(20, 20 + i, a) for i, a in enumerate(angles)])
    found = detector.embed(test)
    assert (found["logits"].argmax(1) == np.repeat(range(3), 20)).mean() > 0.8
    with pytest.raises(ValueError, match="all normal images are of one class"):
        fitted(unode_labelled, pixels, epochs=1)


def test_a_backbone_is_frozen_for_a_while_and_then_trained(vit, monkeypatch):
    weights, _ = load_tensors(vit)

    def moved(**options):
        detector = fitted(
            unode_pretrained, stripes(9, 0, channels=3), epochs=3, batch=9, freeze=["blocks.0"],
            hard=["noise"], given={"backbone": vit}, **options,
        )  # fmt: skip
        now = detector.net.trunk.backbone.state_dict()
        return {name for name, w in weights.items() if (now[name].numpy() != w).any()}

    early = moved(frozen_epochs=3)
    assert early
    assert not any(name.startswith("blocks.0") for name in early)
    assert any(name.startswith("blocks.0") for name in moved(frozen_epochs=2))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_backbone_sees_images_of_any_size_at_its_own(channels, vit):
    pixels = stripes(9, 0, side=12, channels=channels)
    detector = fitted(unode_pretrained, pixels, epochs=1, given={"backbone": vit}, hard=["noise"])
    found = detector.embed(pixels)
    other = detector.embed(stripes(5, 1, side=7, channels=4 - channels))
    for name, array in found.items():
        assert other[name].shape == (5, *array.shape[1:])
    assert np.linalg.norm(found["features"], axis=1) == pytest.approx(1, rel=1e-5)
    view = detector.shown(torch.rand(2, channels, 12, 12), torch.rand(2, 1, 12),
                          _contrastive.Views(**detector.facts["look"]))  # fmt: skip
    assert view.shape == (2, channels, 8, 8)


def test_a_killed_fit_with_a_judge_goes_on_to_the_same_bytes(vit, tmp_path, monkeypatch):
    plain = _trained.train
    monkeypatch.setattr(_trained, "train", lambda *a, **k: plain(*a, **k, save_every=0.0))
    pixels = stripes(11, 0)

    def fit(folder, **more):
        given = {"judge": vit, "backbone": vit, "folder": tmp_path / folder} | more
        detector = fitted(unode_pretrained, pixels, epochs=4, batch=6, frozen_epochs=2, given=given)
        detector.save(tmp_path / f"{folder}.file")
        return (tmp_path / f"{folder}.file").read_bytes()

    def die(step, total, **_):
        if step >= 5 and total == 8:
            raise InterruptedError

    whole = fit("whole")
    with pytest.raises(InterruptedError):
        fit("part", progress=die)
    assert fit("part") == whole


MISTAKES = [
    ({"hard": {"rotate": 1.0}}, "hard names 'rotate'; there is rotation"),
    ({"hard": {"rotation": 0}}, "all shares are 0"),
    ({"losses": []}, "nothing is left to train"),
    ({"losses": ["classified"], "hard": []}, "nothing is left to train"),
]


@pytest.mark.parametrize(("options", "words"), MISTAKES)
def test_what_cannot_be_trained_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        unode.build(**options)


def test_what_an_entry_lacks_is_said(vit):
    pixels = stripes(6, 0)
    with pytest.raises(ValueError, match=r"\['outliers'\]` needs normal images and outliers"):
        fitted(unode, pixels, hard=["outliers", "noise"])
    for odd in (["noise"], {"noise": 1, "blur": 2}):
        with pytest.raises(ValueError, match="a judge weighs hard augmentations, but hard is"):
            fitted(unode, pixels, hard=odd, given={"judge": vit})
    for kind, given in (
        (unode, {}),
        (unode, {"judge": vit}),
        (unode_pretrained, {"backbone": vit}),
    ):
        with pytest.raises(ValueError, match="needs at least two normal images"):
            fitted(kind, stripes(1, 0), given=given)
    with pytest.raises(ValueError, match="all square; it got 4 of 8 x 4"):
        fitted(unode, stripes(4, 0)[:, :, :4], given={"judge": vit})


def test_images_that_nothing_changes_are_weighed_equally(vit):
    """A judge that sees one and the same thing everywhere, where scikit-learn would crash."""
    flat = np.full((6, 8, 8, 1), 7, np.uint8)
    chosen = fitted(unode, flat, hard=["rotation", "blur"], epochs=1, given={"judge": vit})
    assert chosen.facts["hard"]["weights"] == [0.5, 0.5]
    assert chosen.facts["hard"]["divergences"] == [0, 0]
