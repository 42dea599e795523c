"""Detectors that are asked which transformation an image went through: GT, MHRot, RotNet."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from scipy.stats import dirichlet as law
from scipy.stats import entropy as entropy_of
from torch.nn import functional as F

from nearnd import plugins
from nearnd.contracts import Images
from nearnd.detectors import gt, mhrot, rotnet
from nearnd.metrics.auroc import auroc
from nearnd.networks.geometry import Change, changed, seen, table
from nearnd.networks.heads import from_uniform, log_answers, of_right
from nearnd.networks.wide_resnet import named
from nearnd.scores.dirichlet import most_likely

NUMBERS = np.load(Path(__file__).parent / "fixtures/transformations/numbers.npz")
KINDS = ["gt", "mhrot", "mhrot_oe", "rotnet"]
kinds = pytest.mark.parametrize("kind", KINDS)
SMALL = {"depth": 10, "width": 1, "dropout": 0, "batch": 32}


def score(name, **options):
    return plugins.build("scores", {"kind": name, **options})


def picture(side=6, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).permutation(side**2).reshape(side, side))


def oriented(n, seed=0, channels=1):
    """8 x 8 images of an L: how each is turned and moved can be seen."""
    x = np.random.default_rng(seed).integers(0, 60, (n, 8, 8, channels))
    x[:, 1:6, 2] += 180
    x[:, 5, 2:5] += 120
    return x.clip(0, 255).astype(np.uint8)


def as_images(pixels):
    return Images(pixels, np.zeros(len(pixels), np.int64), np.arange(len(pixels)).astype(str))


def fitted(kind, pixels, outliers=None, **options):
    detector = plugins.build("detectors", {"kind": kind, **options})
    detector.fit(as_images(pixels), outliers=outliers, backbone=None, seed=0, folder=None)
    return detector


# ---- transformations ----


def test_transformations_show_the_pixels_of_the_public_codes():
    """GT's 72 in its order, with SciPy's filling; MHRot's 36, moved by OpenCV."""
    x = torch.from_numpy(NUMBERS["image"].astype(int))
    ours = torch.stack([changed(x, c, repeat=True) for c in gt.transformations(2).changes])
    assert (ours.numpy() == NUMBERS["gt"]).all()
    ours = [changed(x, c, repeat=False).numpy() for c in mhrot.transformations(2).changes]
    theirs = {a.tobytes() for a in NUMBERS["mhrot"]}
    assert len(theirs) == 36
    assert {a.astype(np.uint8).tobytes() for a in ours} == theirs


def test_a_quarter_turn_is_counter_clockwise_and_a_move_goes_down_and_right():
    x = torch.tensor([[0, 1], [2, 3]])
    assert changed(x, Change(turns=1), repeat=True).tolist() == [[1, 3], [0, 2]]
    assert changed(x, Change(mirrored=True), repeat=True).tolist() == [[1, 0], [3, 2]]
    row = torch.tensor([[0, 1, 2]] * 3)
    assert changed(row, Change(right=1), repeat=True).tolist()[0] == [0, 0, 1]
    assert changed(row, Change(right=1), repeat=False).tolist()[0] == [1, 0, 1]
    assert changed(row.T, Change(down=1), repeat=True)[:, 0].tolist() == [0, 0, 1]


@pytest.mark.parametrize("repeat", [True, False])
def test_each_of_the_72_can_be_undone_where_it_lost_no_pixel(repeat):
    x = picture()
    for change in gt.transformations(2).changes:
        y = changed(x, Change(turns=-change.turns), repeat)
        y = changed(changed(x, change, repeat), Change(turns=-change.turns), repeat)
        y = changed(y, Change(down=-change.down, right=-change.right), repeat)
        y = changed(y, Change(mirrored=change.mirrored), repeat)
        rows, columns = slice(None), slice(None)
        if change.down:
            rows = slice(0, 4) if change.down > 0 else slice(2, 6)
        if change.right:  # in the mirror image, left is right
            columns = slice(0, 4) if (change.right > 0) != change.mirrored else slice(2, 6)
        assert (y[rows, columns] == x[rows, columns]).all()


def test_the_72_differ_and_turns_and_mirror_images_are_a_group():
    x = picture()
    shown = {changed(x, c, repeat=True).numpy().tobytes() for c in gt.transformations(2).changes}
    assert len(shown) == 72
    eight = [Change(mirrored, turns=k) for mirrored, k in product((False, True), range(4))]
    images = [changed(x, c, repeat=True).numpy().tobytes() for c in eight]
    for a, b in product(eight, eight):
        twice = changed(changed(x, a, repeat=True), b, repeat=True)
        assert images.count(twice.numpy().tobytes()) == 1


@pytest.mark.parametrize("channels", [1, 3])
def test_a_table_of_pixels_does_what_the_changes_do(channels):
    changes = gt.transformations(2).changes
    x = torch.rand(3, channels, 8, 8)
    which = torch.tensor([[0, 71], [5, 40], [13, 13]])
    found = seen(x, table(changes, 8, repeat=True)[which])
    assert found.shape == (3, 2, channels, 8, 8)
    for i, j in product(range(3), range(2)):
        assert (found[i, j] == changed(x[i], changes[which[i, j]], repeat=True)).all()


@pytest.mark.parametrize("side", [1, 2, 5])
def test_moves_further_than_the_image_go_on_reflecting(side):
    row = torch.arange(side).expand(side, side)
    for repeat, by in product((True, False), range(-3 * side, 3 * side)):
        mode = "symmetric" if repeat else "reflect"
        wide = np.pad(np.arange(side), 3 * side, mode=mode)
        expected = wide[3 * side - by : 4 * side - by]
        assert (changed(row, Change(right=by), repeat)[0].numpy() == expected).all()


# ---- heads ----


def test_the_loss_is_the_mean_of_the_questions_cross_entropies():
    f, sizes = torch.randn(7, 10, dtype=torch.float64), [3, 3, 4]
    y = torch.stack([torch.arange(7) % k for k in sizes], 1)
    parts = [
        F.cross_entropy(part, y[:, i]) for i, part in enumerate(f.split(sizes, 1))
    ]  # MHRot's code
    log_p = log_answers(f, sizes)
    assert -of_right(log_p, y, sizes).mean() == pytest.approx(float(sum(parts) / 3))
    even = [
        F.cross_entropy(part, torch.full_like(part, 1 / part.shape[1]), reduction="none")
        for part in f.split(sizes, 1)
    ]
    assert from_uniform(log_p, sizes).numpy() == pytest.approx((sum(even) / 3).numpy())


def test_wide_networks_have_the_published_number_of_weights():
    """Zagoruyko and Komodakis 2016, table 4: 2.7 and 11.0 million with ten classes."""
    for width, millions in ((4, 2.7), (8, 11.0)):
        count = sum(p.numel() for p in named(3, 16, width).parameters())
        assert round((count + 641 * width * 10 / 10) / 1e6, 1) == millions


# ---- scores ----


def answers(n, seed=0, transformations=3, k=4, sure=2.5):
    f = np.random.default_rng(seed).normal(size=(n, transformations, k))
    f[:, np.arange(transformations), np.arange(transformations) % k] += sure
    return log_softmax(f, axis=2).astype(np.float32)


def test_the_dirichlet_score_is_that_of_the_public_code():
    """GT's alpha and normality of the same probabilities; theirs ends 1e-8 from the maximum."""
    p = NUMBERS["bank"].astype(float)
    alpha = most_likely(np.log(p).mean(0), p.mean(0))
    assert alpha == pytest.approx(NUMBERS["alpha"], rel=1e-7)
    bank, queries = ({"log_p": np.log(NUMBERS[name])} for name in ("bank", "queries"))
    assert score("dirichlet")(bank, queries) == pytest.approx(-NUMBERS["normality"], rel=1e-4)


@pytest.mark.parametrize("sure", [0.0, 2.5, 12.0])
def test_the_dirichlet_is_the_most_likely_one(sure):
    log_p = answers(40, sure=sure, k=5).astype(float)
    alpha = most_likely(log_p.mean(0), np.exp(log_p).mean(0))
    for t in range(3):
        x = np.exp(log_p[:, t])
        x /= x.sum(axis=1, keepdims=True)

        def cost(log_alpha, x=x):
            return -law.logpdf(x.T, np.exp(log_alpha)).mean()

        found = minimize(cost, np.log(alpha[t]) + 0.5, options={"gtol": 1e-7})
        assert cost(np.log(alpha[t])) <= found.fun + 1e-7
        assert alpha[t] == pytest.approx(np.exp(found.x), rel=5e-3)  # as near as BFGS comes


def test_the_dirichlet_that_samples_were_drawn_from_is_found_again():
    alpha = np.array([0.05, 0.4, 3.0, 20.0])
    x = np.random.default_rng(0).dirichlet(alpha, 20_000).clip(1e-300)
    found = most_likely(np.log(x).mean(0)[None], x.mean(0)[None])[0]
    assert found == pytest.approx(alpha, rel=0.03)


def test_the_dirichlet_score_is_a_log_density_but_for_a_constant():
    bank, queries = answers(30), answers(9, seed=1)
    found = score("dirichlet")({"log_p": bank}, {"log_p": queries})
    p = np.exp(bank.astype(float))
    alpha = most_likely(np.log(p).mean(0), p.mean(0))
    x = np.exp(queries.astype(float))
    x /= x.sum(axis=2, keepdims=True)
    density = np.mean([law.logpdf(x[:, t].T, alpha[t]) for t in range(3)], axis=0)
    assert np.ptp(found + density) < 1e-4


def test_the_dirichlet_score_refuses_what_it_cannot_fit():
    bank = answers(6)
    with pytest.raises(ValueError, match="answers alike for all of"):
        score("dirichlet")({"log_p": bank[:1]}, {"log_p": bank})
    with pytest.raises(ValueError, match="answers alike for all of"):
        score("dirichlet")({"log_p": bank[[0, 0, 0]]}, {"log_p": bank})
    two = np.concatenate([bank, bank], axis=2)  # two questions side by side
    with pytest.raises(ValueError, match="exclude each other"):
        score("dirichlet")({"log_p": two}, {"log_p": two})


def test_answers_that_underflow_have_a_score():
    """float32's softmax would be 0, its logarithm minus infinity."""
    bank = answers(30, sure=400.0)
    assert (np.exp(bank) == 0).any()
    found = score("dirichlet")({"log_p": bank}, {"log_p": answers(5, seed=1, sure=400.0)})
    assert np.isfinite(found).all()


def test_right_answers_are_summed_over_transformations_and_questions():
    """MHRot's released score: minus the sum of the right answers' probabilities."""
    f = np.random.default_rng(0).normal(size=(5, 36, 10))
    asked = mhrot.transformations(8)
    log_p = [log_answers(torch.from_numpy(rows), asked.sizes) for rows in f]
    right = np.stack([of_right(p, asked.answers, asked.sizes).numpy() for p in log_p])
    parts = [softmax(f[:, :, a:b], axis=2) for a, b in ((0, 3), (3, 6), (6, 10))]
    y = asked.answers.numpy()
    total = sum(parts[q][:, np.arange(36), y[:, q]].sum(axis=1) for q in range(3))
    queries = {"right": right}
    found = score("right_answer", of="probability")({}, queries)
    assert found == pytest.approx(3 * 36 - total, rel=1e-5)
    assert score("right_answer")({}, queries) == pytest.approx(-right.sum(axis=(1, 2)), rel=1e-5)


def test_a_network_that_is_sure_and_right_gives_the_lowest_scores():
    sure = np.zeros((1, 4, 1), np.float32)  # log 1
    less = np.full((1, 4, 1), -1e-9, np.float32)
    for of in ("log", "probability"):
        found = score("right_answer", of=of)({}, {"right": np.concatenate([sure, less])})
        assert found[0] == 0
        assert found[1] == pytest.approx(4e-9, rel=1e-4)  # not lost beside 1
    assert score("entropy")({}, {"log_p": answers(1, sure=200.0)})[0] == pytest.approx(0, abs=1e-30)


def test_entropy_is_that_of_scipy():
    log_p = answers(6)
    expected = entropy_of(np.exp(log_p), axis=2).mean(axis=1)
    assert score("entropy")({}, {"log_p": log_p}) == pytest.approx(expected, rel=1e-5)


# ---- detectors ----


@kinds
def test_images_like_the_normal_ones_have_the_lower_scores(kind):
    """Of an L it can be seen how it lies; noise does not tell, outliers shall not."""
    noise = np.random.default_rng(5).integers(0, 256, (60, 8, 8, 1)).astype(np.uint8)
    outliers = noise[:30] if kind == "mhrot_oe" else None
    options = {"flip": False, "pad": 0} if kind != "gt" else {}
    detector = fitted(kind, oriented(30), outliers, **SMALL, **options, iterations=150)
    bank = detector.embed(oriented(30))
    queries = detector.embed(np.concatenate([oriented(30, seed=1), noise[30:]]))
    assert np.exp(queries["right"][:30]).mean() > 0.4
    label = np.arange(60) >= 30
    for name in ("right_answer", "entropy", "dirichlet"):
        if name == "right_answer" or "log_p" in queries:
            assert auroc(score(name)(bank, queries), label) > 0.95, name
    if kind == "mhrot_oe":  # all answers are equally likely
        p = np.exp(queries["right"][30:]).mean(axis=(0, 1))
        assert p == pytest.approx([1 / 3, 1 / 3, 1 / 4], abs=0.1)


def test_embedded_answers_are_those_to_the_transformed_images():
    detector = fitted("gt", oriented(6), **SMALL, iterations=3)
    x = oriented(2, seed=1)
    found = detector.embed(x)
    assert found["right"].shape == (2, 72, 1)
    assert found["log_p"].shape == (2, 72, 72)
    one = torch.from_numpy(x[0]).movedim(-1, 0).float() / 127.5 - 1
    for t in (0, 30, 71):
        change = detector.asked(2).changes[t]
        with torch.no_grad():
            h, f = detector.net(changed(one, change, repeat=True)[None])
        expected = F.log_softmax(f.double(), dim=1)[0].numpy()
        assert found["log_p"][0, t] == pytest.approx(expected, rel=1e-3, abs=1e-4)
        assert found["right"][0, t, 0] == found["log_p"][0, t, t]
        if t == 0:
            assert found["features"][0] == pytest.approx(h[0].numpy(), rel=1e-3, abs=1e-5)


def batches(kind, n, steps, **options):
    """The images (B, 8, 8) in 0..255 and the answers of the first steps of a training."""
    detector = fitted(kind, oriented(n), **SMALL | {"batch": 6}, iterations=1, **options)
    show = detector.shower(oriented(n), seed=0)
    return [((x[:, 0] + 1) * 127.5, y) for x, y in (show(i) for i in range(steps))]


def test_an_epoch_of_gt_shows_each_image_in_all_72_ways():
    x, y = (torch.cat(parts) for parts in zip(*batches("gt", 4, 4 * 72 // 6), strict=True))
    images = torch.from_numpy(oriented(4)[..., 0]).float()
    changes = gt.transformations(2).changes
    found = set()
    for shown, answer in zip(x, y[:, 0].tolist(), strict=True):
        first = [
            i
            for i in range(4)
            if (changed(images[i], changes[answer], True) - shown).abs().max() < 1
        ]
        found |= {(i, answer) for i in first}
        assert len(first) == 1
    assert len(found) == 4 * 72


@pytest.mark.parametrize("kind", ["mhrot", "rotnet"])
def test_a_batch_has_each_moved_image_in_all_four_turns(kind):
    x, y = batches(kind, 5, 1, flip=False, pad=0)[0]
    assert x.shape == (24, 8, 8)
    for turned, answer in zip(x.split(4), y.split(4), strict=True):
        assert answer[:, -1].tolist() == [0, 1, 2, 3]
        assert (answer[:, :-1] == answer[0, :-1]).all()
        for k in range(4):
            assert (torch.rot90(turned[0], k) == turned[k]).all()


def test_the_shift_is_a_quarter_of_what_the_network_sees():
    """8 of 32 and 16 of 64 in GT, 56 of 224 in MHRot; MNIST's 28 pixels are 32 with a border."""
    for side, border, shift in ((8, 0, 2), (6, 1, 2), (16, 0, 4)):
        pixels = np.zeros((3, side, side, 1), np.uint8)
        detector = fitted("gt", pixels, **SMALL, border=border, iterations=1)
        assert detector.facts["shift"] == shift
    assert fitted("gt", pixels, **SMALL, shift=3, iterations=1).facts["shift"] == 3


def test_rates_of_learning_and_numbers_of_updates_are_those_of_the_recipes(monkeypatch):
    """GT: constant, 3 passes over 72 times the images. MHRot: a cosine that ends at 1e-6."""
    from nearnd.detectors import _trained

    told = {}
    monkeypatch.setattr(_trained, "train", lambda *a, **how: told.update(how, optimizer=a[1]))
    pixels = oriented(10)
    fitted("gt", pixels)
    assert told["steps"] == 3 * -(-10 * 72 // 128)
    assert told["schedule"] is None
    assert isinstance(told["optimizer"], torch.optim.Adam)
    fitted("mhrot", pixels)
    assert told["steps"] == 5 * -(-10 * 9 // 64)
    assert 0.1 * told["schedule"](told["steps"]) == pytest.approx(1e-6)
    fitted("rotnet", pixels)
    assert told["steps"] == 45 * -(-10 // 64)
    assert rotnet.turns().sizes == [4]


@kinds
def test_wrong_images_are_refused_in_a_sentence(kind):
    outliers = oriented(4) if kind == "mhrot_oe" else None
    for pixels in (np.zeros((3, 8, 6, 1), np.uint8), np.zeros((0, 8, 8, 1), np.uint8)):
        with pytest.raises(ValueError, match=rf"{kind} needs .*normal"):
            fitted(kind, pixels, outliers, **SMALL)
    with pytest.raises(ValueError, match="depth is 12, it must be 6n"):
        fitted(kind, oriented(3), outliers, depth=12)
    detector = fitted(kind, oriented(3), outliers, **SMALL, iterations=1)
    with pytest.raises(ValueError, match="was trained on"):
        detector.embed(np.zeros((1, 9, 9, 1), np.uint8))
