"""Fidelity measures: closed forms, unbiasedness, and the definition of density and coverage."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from nearnd.fidelity import _radii, coverage, density, frechet, kid

FRECHET, KID = frechet.build(), kid.build()


def with_moments(n: int, mean: np.ndarray, root: np.ndarray, seed: int) -> np.ndarray:
    """n samples whose sample mean and covariance are exactly `mean` and root.T @ root."""
    x = np.random.default_rng(seed).normal(size=(n, len(mean)))
    x -= x.mean(axis=0)
    q, _ = np.linalg.qr(x)
    return np.sqrt(n - 1) * q @ root + mean


def test_frechet_of_gaussians_is_the_closed_form():
    # diagonal covariances commute: |m1 - m2|^2 + sum (s1 - s2)^2
    s1, s2 = np.array([1.0, 2, 3]), np.array([2.0, 2, 0.5])
    m1, m2 = np.zeros(3), np.array([1.0, -2, 0])
    x, y = with_moments(50, m1, np.diag(s1), 0), with_moments(80, m2, np.diag(s2), 1)
    assert FRECHET(x, y) == pytest.approx(5 + np.square(s1 - s2).sum(), rel=1e-9)


def test_frechet_of_full_covariances_is_the_matrix_root():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 5)) @ rng.normal(size=(5, 5)), rng.normal(size=(70, 5))
    a, b = np.cov(x.T), np.cov(y.T)
    expected = np.square(x.mean(0) - y.mean(0)).sum() + np.trace(a + b - 2 * sqrtm(a @ b).real)
    assert FRECHET(x, y) == pytest.approx(expected, rel=1e-9)
    assert FRECHET(y, x) == pytest.approx(expected, rel=1e-9)


def test_frechet_with_fewer_images_than_features_is_the_same_formula():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 40)), rng.normal(size=(200, 40))
    a, b = np.cov(x.T), np.cov(y.T)
    root = sqrtm(b).real  # of full rank, so (root a root) is symmetric and its root well defined
    cross = np.sqrt(np.linalg.eigvalsh(root @ a @ root).clip(0)).sum()
    expected = np.square(x.mean(0) - y.mean(0)).sum() + np.trace(a + b) - 2 * cross
    assert FRECHET(x, y) == pytest.approx(expected, rel=1e-6)


def test_frechet_is_zero_on_itself_and_does_not_see_rotations():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(100, 8)).astype(np.float32), rng.normal(size=(100, 8)) * 2
    assert 0 <= FRECHET(x, x) < 1e-9
    rotation, _ = np.linalg.qr(rng.normal(size=(8, 8)))
    assert FRECHET(x @ rotation, y @ rotation) == pytest.approx(FRECHET(x, y), rel=1e-6)


def test_frechet_says_when_its_covariance_must_be_singular():
    assert "singular" in FRECHET.remark(7, 2000, 7)
    assert "singular" in FRECHET.remark(2000, 7, 7)
    assert FRECHET.remark(8, 8, 7) == ""
    x = np.random.default_rng(0).normal(size=(8, 7))
    assert np.linalg.matrix_rank(np.cov(x.T)) == 7
    assert np.linalg.matrix_rank(np.cov(x[:7].T)) == 6


def test_kid_by_hand():
    # D = 1, k(x, y) = (xy + 1)^3. Real {0, 1}, fake {0, 2}: pairs 1, 1; mixed 1, 1, 1, 27
    assert KID(np.array([[0.0], [1]]), np.array([[0.0], [2]])) == pytest.approx(1 + 1 - 2 * 30 / 4)


def test_kid_is_unbiased():
    rng = np.random.default_rng(0)
    same = [KID(rng.normal(size=(10, 4)), rng.normal(size=(15, 4))) for _ in range(2000)]
    error = np.std(same) / np.sqrt(len(same))
    assert abs(np.mean(same)) < 4 * error
    assert min(same) < 0  # no clipping, which would make it biased
    other = [KID(rng.normal(size=(10, 4)), 1.5 * rng.normal(size=(15, 4))) for _ in range(500)]
    assert np.mean(other) > 10 * error


def test_kid_in_blocks_is_the_same(monkeypatch):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 6)), rng.normal(size=(40, 6)) + 1
    whole = KID(x, y)
    monkeypatch.setattr(kid, "BUDGET", 1000)
    assert KID(x, y) == pytest.approx(whole, rel=1e-12)


def test_density_and_coverage_by_hand():
    # k = 1: real 0, 1, 10 have open balls of radius 1, 1, 9
    real, fake = np.array([[0.0], [1], [10]]), np.array([[0.5], [2], [30]])
    # 0.5 lies in the balls of 0 and 1 (and not of 10: 9.5 > 9); 2 is on the edge of the ball of 1
    # (not inside) and in that of 10 (8 < 9); 30 is in none
    assert density.build(k=1)(real, fake) == pytest.approx(3 / (1 * 3))
    assert coverage.build(k=1)(real, fake) == pytest.approx(3 / 3)
    assert coverage.build(k=1)(real, fake[:1]) == pytest.approx(2 / 3)


def brute(real, fake, k):
    """The definition, written out: open balls to the k-th nearest other real image."""
    between = np.linalg.norm(real[:, None] - real[None], axis=2)
    np.fill_diagonal(between, np.inf)
    radius = np.sort(between, axis=1)[:, k - 1]
    return np.linalg.norm(real[:, None] - fake[None], axis=2) < radius[:, None]  # (N, M)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_density_and_coverage_are_the_definition(k, monkeypatch):
    rng = np.random.default_rng(k)
    real, fake = rng.normal(size=(80, 3)), rng.normal(size=(50, 3)) * 1.3
    hit = brute(real, fake, k)
    for budget in (1 << 26, 5000):
        monkeypatch.setattr(_radii, "BUDGET", budget)
        assert density.build(k=k)(real, fake) == pytest.approx(hit.sum() / (k * 50))
        assert coverage.build(k=k)(real, fake) == pytest.approx(hit.any(axis=1).mean())


def test_a_fake_on_the_edge_of_a_ball_is_outside():
    # Each fake copies a real image, so the k-th neighbours lie on the edges; far from the origin,
    # where rounding would put half of them inside
    real = np.random.default_rng(0).normal(size=(60, 7)) + 1000
    hit = np.concatenate(list(_radii.inside(real, real.copy(), 3)))
    assert (hit.sum(axis=1) == 3).all()  # itself and two others, not the third


def test_same_law_gives_density_one_and_coverage_near_its_expectation():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(1000, 8)), rng.normal(size=(1000, 8))
    assert density.build(k=5)(real, fake) == pytest.approx(1, abs=0.1)
    assert coverage.build(k=5)(real, fake) == pytest.approx(1 - 2.0**-5, abs=0.03)
    assert density.build(k=5)(real, fake + 100) == coverage.build(k=5)(real, fake + 100) == 0


def test_too_few_images_are_named():
    with pytest.raises(ValueError, match="5 real images are too few for k = 5"):
        density.build()(np.zeros((5, 2)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="1 real and 3 fake"):
        FRECHET(np.zeros((1, 2)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="3 real and 1 fake"):
        KID(np.zeros((3, 2)), np.zeros((1, 2)))
