"""Scores on features alone: Gaussian, kernels, forests, neighbours' densities, the head."""

import logging

import numpy as np
import pytest
from sklearn.cluster import DBSCAN
from sklearn.covariance import EmpiricalCovariance, LedoitWolf
from sklearn.neighbors import KernelDensity
from sklearn.svm import OneClassSVM

from nearnd import plugins
from nearnd.scores import (
    _features,
    _shallow,
    dbscan,
    gaussian,
    head,
    isolation_forest,
    kde,
    knn,
    lof,
    one_class_svm,
)

FITTED = {
    "dbscan": dbscan.build(),
    "gaussian": gaussian.build(),
    "isolation_forest": isolation_forest.build(),
    "kde": kde.build(bandwidth=1.0),
    "lof": lof.build(),
    "one_class_svm": one_class_svm.build(),
}
REDUCING = (dbscan, isolation_forest, kde, lof, one_class_svm)


def normal(n: int, d: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def run(score, bank, queries, seed: int = 0) -> np.ndarray:
    return score({"features": np.asarray(bank)}, {"features": np.asarray(queries)}, seed=seed)


# ---- Gaussian ----


def test_mahalanobis_by_hand():
    # mean (0, 0), covariance diag(4, 1) / 2: squared distance x^2 / 2 + 2 y^2
    bank = np.array([[2.0, 0], [-2, 0], [0, 1], [0, -1]])
    score = gaussian.build(covariance="empirical")
    assert run(score, bank, [[2.0, 0], [0, 2], [2, 2]]) == pytest.approx([2, 8, 10])


def test_empirical_gaussian_does_not_depend_on_the_coordinates():
    bank, queries = normal(80).astype(float), normal(20, seed=1).astype(float)
    turn = np.random.default_rng(2).normal(size=(6, 6)) + 2 * np.eye(6)
    score = gaussian.build(covariance="empirical")
    moved = run(score, bank @ turn + 7, queries @ turn + 7)
    assert moved == pytest.approx(run(score, bank, queries), rel=1e-5)
    rounder = gaussian.build()  # shrinkage knows the axes' scale
    assert run(rounder, bank @ turn, queries @ turn) != pytest.approx(run(rounder, bank, queries))


@pytest.mark.parametrize(("n", "d"), [(60, 7), (12, 30), (31, 30), (30, 30)])
def test_gaussian_equals_scikit_learn_with_more_or_fewer_images_than_features(n, d):
    bank, queries = normal(n, d) * np.linspace(0.1, 3, d) + 4, normal(25, d, seed=1)
    expected = LedoitWolf().fit(bank.astype(float)).mahalanobis(queries.astype(float))
    assert run(gaussian.build(), bank, queries) == pytest.approx(expected, rel=1e-5)
    if n > d + 1:
        expected = EmpiricalCovariance().fit(bank.astype(float)).mahalanobis(queries.astype(float))
        score = gaussian.build(covariance="empirical")
        assert run(score, bank, queries) == pytest.approx(expected, rel=1e-5)


def test_leaving_the_span_of_the_bank_is_anomalous():
    bank = np.zeros((40, 5))
    bank[:, :2] = normal(40, 2)
    outside = np.eye(5)[4:] * 3
    assert run(gaussian.build(), bank, outside)[0] > 10 * run(gaussian.build(), bank, bank).max()
    with pytest.raises(ValueError, match="empirical covariance of 40 images with 5 features has"):
        run(gaussian.build(covariance="empirical"), bank, outside)
    with pytest.raises(ValueError, match="has no inverse"):
        run(gaussian.build(), np.ones((9, 3)), np.zeros((1, 3)))


# ---- kernels ----


@pytest.mark.parametrize("d", [2, 40])
def test_kde_is_the_mixture_density(d):
    bank, queries, h = normal(50, d), normal(9, d, seed=1), 0.7
    difference = queries[:, None].astype(float) - bank  # (N, M, D)
    log_kernel = -np.square(difference).sum(axis=2) / (2 * h**2)
    expected = -np.log(np.exp(log_kernel).mean(axis=1))
    score = run(kde.build(bandwidth=h), bank, queries)
    assert score == pytest.approx(expected, rel=1e-5, abs=1e-5)
    density = KernelDensity(bandwidth=h).fit(bank.astype(float)).score_samples(queries)
    constant = d / 2 * np.log(2 * np.pi * h**2)
    assert score + constant == pytest.approx(-density, rel=1e-5)


def test_kde_keeps_the_order_of_far_images():
    # in 3,000 dimensions the constant alone is -log p = 12,000 and float32 steps are 0.001
    bank, h = np.zeros((1, 3000)), 20.0
    queries = np.zeros((50, 3000))
    queries[:, 0] = np.linspace(0.1, 1, 50)
    assert (np.diff(run(kde.build(bandwidth=h), bank, queries)) > 0).all()


def test_kde_takes_the_bandwidth_with_the_best_held_out_likelihood(caplog):
    bank, queries = normal(60, 3), normal(10, 3, seed=1)
    widths = [0.05, 0.5, 5.0]
    folds = np.array_split(np.random.default_rng(5).permutation(60), 5)
    mean = []  # an independent split: the best of such different widths does not depend on it
    for h in widths:
        logs = [
            KernelDensity(bandwidth=h).fit(np.delete(bank, part, axis=0)).score(bank[part])
            for part in folds
        ]
        mean.append(sum(logs) / 60)
    best = widths[int(np.argmax(mean))]
    assert best == 0.5
    assert kde.held_out(bank.astype(float), widths, 0) == pytest.approx(mean, rel=0.2)
    with caplog.at_level(logging.INFO, "nearnd"):
        chosen = run(kde.build(bandwidth=widths), bank, queries)
    assert (chosen == run(kde.build(bandwidth=best), bank, queries)).all()
    assert "bandwidth 0.5" in caplog.text
    assert "end of the list" not in caplog.text
    with caplog.at_level(logging.INFO, "nearnd"):
        run(kde.build(), bank, queries)  # the published list begins at 1.41, too wide here
    assert "1.414, an end of the list" in caplog.text


def test_one_class_svm_ranks_as_its_decision_function_and_further_out():
    bank, queries = normal(120), 2 * normal(60, seed=1)
    svm = OneClassSVM(nu=0.1, gamma=1 / (6 * bank.astype(float).var())).fit(bank.astype(float))
    score = run(one_class_svm.build(), bank, queries)
    assert np.exp(-score) == pytest.approx(svm.score_samples(queries.astype(float)), rel=1e-4)
    far = np.zeros((3, 6))
    far[:, 0] = 100, 200, 400  # every kernel is 0 in float64: the decision values are equal
    assert len(set(svm.decision_function(far))) == 1
    assert (np.diff(run(one_class_svm.build(), bank, far)) > 0).all()


def test_one_class_svm_rejects_about_nu_of_the_bank():
    bank = normal(400)
    for nu in (0.1, 0.5):
        svm = OneClassSVM(nu=nu, gamma="scale").fit(bank)
        score = run(one_class_svm.build(nu=nu), bank, bank)
        rejected = (score > -np.log(svm.offset_[0])).mean()
        assert rejected == pytest.approx(nu, abs=0.03)


def test_one_class_svm_says_that_it_takes_a_part_of_a_large_bank(caplog):
    bank, queries = normal(200), normal(30, seed=1)
    part = one_class_svm.build(limit=50)
    with caplog.at_level(logging.INFO, "nearnd"):
        first = run(part, bank, queries, seed=1)
    assert "fitted to 50 of the bank's 200 images" in caplog.text
    assert (run(part, bank, queries, seed=1) == first).all()
    assert (run(part, bank, queries, seed=2) != first).any()


# ---- forests and local density ----


def test_isolation_forest_depends_on_the_seed_and_on_ranks_alone():
    bank, queries = normal(200), normal(40, seed=1)
    score = isolation_forest.build(n_estimators=20)
    first = run(score, bank, queries, seed=3)
    assert (run(score, bank, queries, seed=3) == first).all()
    assert (run(score, bank, queries, seed=4) != first).any()
    assert ((first > 0) & (first < 1)).all()
    assert run(score, 8 * bank, 8 * queries, seed=3) == pytest.approx(first)  # scale-free


def test_lof_is_one_inside_a_uniform_grid_and_knows_local_density():
    side = np.arange(20.0)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    inside = np.array([[9.5, 9.5], [9.2, 10.4]])
    assert run(lof.build(), grid, inside) == pytest.approx([1, 1], abs=0.05)
    # 1 away from a dense cluster is further out than 1 away from the grid, which k-NN cannot see
    bank = np.concatenate([grid, 100 + 0.01 * normal(100, 2)])
    queries = np.array([[20.0, 10.0], [101.0, 100.0]])
    near_grid, near_cluster = run(lof.build(), bank, queries)
    assert near_cluster > 5 * near_grid
    near_grid, near_cluster = run(knn.build(k=1), bank, queries)
    assert near_cluster == pytest.approx(near_grid, rel=0.1)


def test_dbscan_is_the_distance_to_the_nearest_core_point_over_the_radius():
    bank, queries = normal(80, 3).astype(float), 2 * normal(30, 3, seed=1).astype(float)
    apart = np.linalg.norm(bank[:, None] - bank, axis=2)  # (M, M)
    enough = np.sort(np.sort(apart, axis=1)[:, 4])  # the fifth of which is the point itself
    radius = enough[63]  # of 64 of 80 points
    core = bank[(apart <= radius * (1 + 1e-9)).sum(1) >= 5]
    assert len(core) == 64
    away = np.linalg.norm(queries[:, None] - core, axis=2).min(1)
    score = run(dbscan.build(share=63 / 79), bank, queries)
    assert score == pytest.approx(away / radius, rel=1e-4)
    labels = DBSCAN(eps=radius * (1 + 1e-6), min_samples=5).fit(bank).labels_
    inside = run(dbscan.build(share=63 / 79), bank, bank)
    assert ((inside <= 1) == (labels >= 0)).all()


@pytest.mark.parametrize("step", [0.0, 0.5])  # of a grid on which many are equally far
@pytest.mark.parametrize("share", [0.2, 0.9, 1.0])
def test_dbscan_has_the_core_points_of_scikit_learn(step, share):
    bank = normal(200, 2).astype(float)
    bank = np.unique(np.round(bank / step) * step if step else bank, axis=0)
    apart = np.sort(np.linalg.norm(bank[:, None] - bank, axis=2), axis=1)[:, 4]
    radius = np.quantile(apart, share, method="higher") * (1 + 1e-6)
    core = DBSCAN(eps=radius, min_samples=5).fit(bank).core_sample_indices_
    found = run(dbscan.build(share=share), bank, bank)
    away = np.linalg.norm(bank[:, None] - bank[core], axis=2).min(1)
    assert found == pytest.approx(away / radius, rel=1e-4, abs=1e-6)


def test_dbscan_knows_that_the_middle_of_two_groups_is_empty():
    bank = np.concatenate([normal(60, 2), normal(60, 2, seed=1) + np.array([20, 0])])
    middle, of_a_group = run(dbscan.build(), bank, [[10.0, 0], [20, 0]])
    assert middle > 5 > 1 > of_a_group
    middle, of_a_group = run(gaussian.build(), bank, [[10.0, 0], [20, 0]])
    assert middle < of_a_group


@pytest.mark.parametrize("noise", [0, 1e-6])
@pytest.mark.parametrize("name", [*FITTED, "knn"])
def test_an_image_that_comes_many_times_does_not_turn_the_ranking_round(name, noise, caplog):
    """As often as a blank frame does in what a camera takes; rounded differently, or not."""
    rng = np.random.default_rng(0)
    blank = np.tile(rng.random(64), (25, 1)) + noise * rng.normal(size=(25, 64))
    bank = np.concatenate([blank, rng.random((25, 64))]).astype(np.float32)
    queries = np.concatenate([bank[30:33], rng.normal(0, 3, (1, 64))]).astype(np.float32)
    values = run(FITTED.get(name, knn.build()), bank, queries)
    assert values[3] > 2 * abs(values[:3]).max() or values[3] > values[:3].max() + 0.05
    if name == "lof":
        assert "24 of 50 normal training images repeat another one" in caplog.text
        assert values[:3].max() < 2


@pytest.mark.parametrize("name", FITTED)
def test_further_out_is_more_anomalous(name):
    bank = normal(150)
    queries = np.outer([0, 2, 4, 8], np.ones(6) / 6**0.5)
    values = run(FITTED[name], bank, queries)
    steps = np.diff(values)
    assert (steps >= 0).all() if name == "isolation_forest" else (steps > 0).all()
    assert values[2] > values[0]


@pytest.mark.parametrize("name", FITTED)
def test_chunks_change_nothing(name, monkeypatch):
    bank, queries = normal(60), normal(40, seed=1)
    before = run(FITTED[name], bank, queries)
    monkeypatch.setattr(_features, "BUDGET", 1)
    assert run(FITTED[name], bank, queries) == pytest.approx(before, rel=1e-6)
    assert run(FITTED[name], bank, queries[:0]).shape == (0,)


# ---- standardising, PCA ----


def test_standardised_features_have_no_unit():
    bank, queries = normal(80), normal(20, seed=1)
    unit = np.array([1, 10, 100, 1e3, 1e-3, 1])
    for module in REDUCING:
        score = module.build(standardise=True)
        assert run(score, bank * unit, queries * unit) == pytest.approx(
            run(score, bank, queries), rel=1e-4
        )


def test_pca_keeps_the_directions_that_vary():
    rng = np.random.default_rng(0)
    bank = rng.normal(size=(300, 10)) * ([10, 5] + [0.01] * 8)
    for pca in (2, 0.95):
        reduced, same = _shallow.prepared(bank, False, pca, 0)
        assert reduced.shape == (300, 2)
        length = np.linalg.norm(bank - bank.mean(axis=0), axis=1)
        assert np.linalg.norm(reduced, axis=1) == pytest.approx(length, rel=0.05, abs=0.05)
        assert same(bank) == pytest.approx(reduced)
    constant, same = _shallow.prepared(np.ones((5, 2)), True, None, 0)
    assert (constant == 0).all()
    assert np.isfinite(same(np.zeros((1, 2)))).all()


# ---- head ----


def test_the_head_is_the_score_and_needs_no_bank():
    logit = np.array([-40.0, 0, 40, 41], np.float32)  # probabilities 1 and 1 in float32
    score = head.build()({}, {"logit": logit, "features": normal(4)})
    assert (score == logit).all()
    other = head.build(feature="margin")({}, {"margin": logit[:, None]})
    assert (other == logit).all()
    with pytest.raises(ValueError, match="one number per image, 'features' has 6"):
        head.build(feature="features")({}, {"features": normal(4)})


# ---- errors ----


def test_errors_say_what_to_change():
    small, queries = normal(4), normal(2)
    for build, words in (
        (lambda: one_class_svm.build(nu=0), "nu is 0"),
        (lambda: dbscan.build(share=0), "share is 0"),
        (lambda: run(dbscan.build(), small, queries), "bank has only 4 different images"),
        (lambda: kde.build(bandwidth=[]), r"bandwidth is \[\]"),
        (lambda: kde.build(pca=1.5), "pca is 1.5"),
        (lambda: run(lof.build(), small, queries), "bank has only 4 different images"),
        (lambda: run(kde.build(), small, queries), "which has only 4 images"),
        (lambda: run(kde.build(pca=5), small, queries), "at most 4 components"),
        (lambda: run(gaussian.build(), normal(9, 5), queries), "bank has 5 features per image"),
        (lambda: run(gaussian.build(), small[:0], queries), "the bank is empty"),
    ):
        with pytest.raises(ValueError, match=words):
            build()
    for kind, name, value in (
        ("gaussian", "covariance", "full"),
        ("one_class_svm", "gamma", "auto"),
        ("isolation_forest", "n_estimators", 0),
        ("lof", "n_neighbors", 0),
    ):
        with pytest.raises(ValueError, match=f"{name} is {value!r}"):
            plugins.check_entry("scores", "", {"kind": kind, name: value})
