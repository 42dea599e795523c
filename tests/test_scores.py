"""k-NN scores: exact, in any coordinates, in any chunks; and the whole bank."""

import numpy as np
import pytest

from nearnd import plugins
from nearnd.banks import full
from nearnd.jobs import neighbours
from nearnd.scores import knn

RNG = np.random.default_rng(0)


def vectors(n: int, d: int = 24, offset: float = 5.0) -> np.ndarray:
    """Features on a few directions far from the origin, as a network's are."""
    basis = np.random.default_rng(1).normal(size=(4, d))
    return (RNG.normal(size=(n, 4)) @ basis + offset).astype(np.float32)


def score(bank: np.ndarray, queries: np.ndarray, **arguments) -> np.ndarray:
    return knn.build(**arguments)({"features": bank}, {"features": queries})


def brute(bank, queries, k: int = 2, power: float = 2) -> np.ndarray:
    difference = queries.astype(float)[:, None] - bank.astype(float)[None]  # (N, M, D)
    distance = np.sort(np.linalg.norm(difference, axis=2), axis=1)[:, :k]  # (N, k)
    return (distance**power).sum(axis=1)


def test_worked_by_hand():
    bank = np.array([[0.0, 0], [3, 0], [0, 10]])
    query = np.array([[1.0, 0]])  # distances 1, 2, sqrt(101)
    assert score(bank, query) == pytest.approx([1 + 4])
    assert score(bank, query, power=1) == pytest.approx([1 + 2])
    assert score(bank, query, k=3) == pytest.approx([1 + 4 + 101])


@pytest.mark.parametrize(("k", "power"), [(1, 2), (2, 2), (7, 2), (2, 1)])
def test_equals_brute_force_in_float64(k, power):
    bank, queries = vectors(300), vectors(100)
    expected = brute(bank, queries, k, power)
    assert score(bank, queries, k=k, power=power) == pytest.approx(expected, rel=1e-6)


def test_neighbours_too_close_for_float32_are_still_found():
    # 200 bank rows within 1e-4 of each other, far from their mean: float32 products see only noise
    cluster = 1000 + 1e-4 * RNG.normal(size=(200, 16))
    bank = np.concatenate([cluster, -cluster])
    queries = cluster[:50] + 1e-5 * RNG.normal(size=(50, 16))
    expected = brute(bank, queries)
    assert score(bank, queries) == pytest.approx(expected, rel=1e-3)


def test_indices_are_the_nearest_rows_in_order():
    bank, queries = vectors(200), vectors(50)
    distances, indices = neighbours.nearest(bank, queries, 5)
    exact = np.square(queries.astype(float)[:, None] - bank[None]).sum(axis=2)
    assert (indices == np.argsort(exact, axis=1)[:, :5]).all()
    assert (np.diff(distances, axis=1) >= 0).all()


def test_float32_banks_with_near_ties_are_searched_in_float64():
    """200 rows on a sphere about the query, their distances apart by less than float32 products
    see, and all of them stored as float32."""
    rng = np.random.default_rng(0)
    direction = rng.normal(size=(200, 64))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    bank = (500 + direction * (1 + 1e-5 * rng.random((200, 1)))).astype(np.float32)
    query = np.full((1, 64), 500, np.float32)
    exact = np.square(bank.astype(float) - 500).sum(axis=1)
    distances, indices = neighbours.nearest(bank, query, 5)
    assert (indices[0] == np.argsort(exact)[:5]).all()
    assert distances[0] == pytest.approx(np.sort(exact)[:5], rel=1e-12)


@pytest.mark.parametrize(("m", "k"), [(1, 1), (7, 7), (129, 3), (4099, 2), (9000, 5)])
def test_banks_of_any_length_are_searched_whole(m, k):
    bank, queries = vectors(m, 3), vectors(300, 3)
    exact = np.square(queries[:, None].astype(float) - bank).sum(axis=2)  # (N, M)
    distances, indices = neighbours.nearest(bank, queries, k)
    assert distances == pytest.approx(np.sort(exact, axis=1)[:, :k], rel=1e-12)
    assert (indices == np.argsort(exact, axis=1, kind="stable")[:, :k]).all()


def test_values_whose_squares_overflow_float32_are_searched_in_float64():
    bank, queries = vectors(9, 3, 0), vectors(20, 3, 0)
    distances, indices = neighbours.nearest(bank, queries, 2)
    with np.errstate(all="ignore"):
        large, same = neighbours.nearest(bank * np.float32(2**80), queries * np.float32(2**80), 2)
    assert (same == indices).all()
    assert (large == distances * 2.0**160).all()


def test_a_copy_in_the_bank_scores_zero():
    bank = vectors(50)
    assert (score(bank, bank, k=1) == 0).all()
    assert (score(np.concatenate([bank, bank]), bank, k=2) == 0).all()
    assert (score(bank, bank, k=2) > 0).all()


def test_a_rotation_changes_nothing():
    rotation, _ = np.linalg.qr(RNG.normal(size=(24, 24)))
    bank, queries = vectors(200), vectors(60)
    turned = score(bank @ rotation, queries @ rotation)
    assert turned == pytest.approx(score(bank, queries), rel=1e-5)


def test_order_and_translation_of_the_bank_change_nothing():
    bank, queries = vectors(200).astype(float), vectors(60).astype(float)
    before = score(bank, queries)
    assert (score(bank[RNG.permutation(200)], queries) == before).all()
    assert score(bank + 100, queries + 100) == pytest.approx(before, rel=1e-6)


def test_chunks_change_nothing(monkeypatch):
    bank, queries = vectors(300), vectors(100)
    before = score(bank, queries, k=5)
    for budget in (1, 2000, 20000):
        monkeypatch.setattr(neighbours, "BUDGET", budget)
        assert (score(bank, queries, k=5) == before).all()


def test_cosine_ignores_length():
    bank, queries = vectors(100), vectors(30)
    before = score(bank, queries, distance="cosine")
    longer = queries * RNG.uniform(0.1, 10, (30, 1)).astype(np.float32)
    assert score(3 * bank, longer, distance="cosine") == pytest.approx(before, rel=1e-3, abs=1e-9)
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (queries, bank)]
    nearest = np.sort(2 * (1 - unit[0].astype(float) @ unit[1].T.astype(float)), axis=1)[:, :2]
    assert before == pytest.approx(nearest.sum(axis=1), rel=1e-3, abs=1e-6)


def test_output_is_float32_and_higher_further_away():
    bank = vectors(50)
    near, far = score(bank, bank + 1), score(bank, bank + 50)
    assert near.dtype == np.float32
    assert near.max() < far.min()


def test_errors_say_what_to_change():
    bank, queries = vectors(3), vectors(2)
    with pytest.raises(ValueError, match="k is 4, but the bank has only 3 images"):
        score(bank, queries, k=4)
    with pytest.raises(ValueError, match="distance is 'manhattan'"):
        plugins.check_entry("scores", "", {"kind": "knn", "distance": "manhattan"})
    with pytest.raises(ValueError, match=r"no 'patches'; it has \['features'\]"):
        score(bank, queries, feature="patches")
    queries[1, 0] = np.nan
    with pytest.raises(ValueError, match="1 of 2 query rows of 'features' are not finite"):
        score(bank, queries)


def test_the_full_bank_keeps_every_row():
    embedding = {"features": vectors(5)}
    assert (full.build()(embedding, seed=3)["features"] == embedding["features"]).all()
