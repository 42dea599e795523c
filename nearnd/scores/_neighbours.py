"""Exact nearest neighbours in bounded memory: a fast float32 search, then float64 where it counts.

|x - b|^2 = |x|^2 - 2 x.b + |b|^2 is one matrix product, but loses digits by cancellation: a copy of
a bank row would not get distance 0, and a rotated bank other neighbours. So the product only
proposes candidates, whose distances are computed anew as differences in float64. Where its rounding
error could have kept a true neighbour out, the search is repeated in float64.
"""

from __future__ import annotations

import numpy as np

BUDGET = 1 << 26  # bytes of one temporary array; the answer does not depend on it
SPARE = 8  # candidates beyond k, so that the second search is rarely needed


def nearest(bank: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Squared Euclidean distances float64 (N, k) to the k nearest rows of the bank, nearest first,
    and those rows' indices (N, k).

    bank (M, D), queries (N, D), k <= M. Ties go to the lower index.
    """
    m, d = bank.shape
    mean = bank.mean(axis=0, dtype=np.float64)  # (D,) centring makes the cancellation smaller
    radius = _radius(bank, mean)
    rows = max(1, min(1024, BUDGET // (8 * d)))
    distances = np.empty((len(queries), k))
    indices = np.empty((len(queries), k), np.int64)
    for i in range(0, len(queries), rows):
        x = np.asarray(queries[i : i + rows], np.float64)  # (n, D)
        norm = np.linalg.norm(x - mean, axis=1)  # (n,)
        open_rows = np.arange(len(x))  # queries whose neighbours are not certain yet
        for dtype in (np.float32, np.float64):
            # Rounding error of the estimates: D additions of terms as large as |x||b|
            error = 2 * d * np.finfo(dtype).eps * (norm[open_rows] + radius) ** 2  # (n,)
            found, floor = _candidates(bank, x[open_rows], mean, min(m, k + SPARE), dtype)
            exact = _distances(bank, x[open_rows], found)  # (n, c)
            order = np.argsort(exact, axis=1, kind="stable")[:, :k]  # (n, k)
            exact = np.take_along_axis(exact, order, axis=1)  # (n, k)
            distances[i + open_rows] = exact
            indices[i + open_rows] = np.take_along_axis(found, order, axis=1)
            open_rows = open_rows[exact[:, -1] > floor - error]
            if not len(open_rows):
                break
    return distances, indices


def _candidates(bank, x, mean, c: int, dtype) -> tuple[np.ndarray, np.ndarray]:
    """Indices (n, c) in ascending order of the bank rows with the smallest estimated distance, and
    the largest estimate among them (n,): no other row has a smaller one."""
    x = (x - mean).astype(dtype)  # (n, D)
    xx = np.square(x).sum(axis=1, keepdims=True)  # (n, 1)
    step = max(1, BUDGET // (8 * max(x.shape[1], len(x))))
    best = np.empty((len(x), 0), dtype)
    index = np.empty((len(x), 0), np.int64)
    for j in range(0, len(bank), step):
        b = (np.asarray(bank[j : j + step], np.float64) - mean).astype(dtype)  # (m, D)
        estimate = xx - 2 * (x @ b.T) + np.square(b).sum(axis=1)  # (n, m)
        if estimate.shape[1] > c:
            part = np.argpartition(estimate, c - 1, axis=1)[:, :c]  # (n, c)
            estimate = np.take_along_axis(estimate, part, axis=1)  # (n, c)
        else:
            part = np.broadcast_to(np.arange(estimate.shape[1]), estimate.shape)
        best = np.concatenate([best, estimate], axis=1)  # (n, <= 2c)
        index = np.concatenate([index, part + j], axis=1)
        if best.shape[1] > c:
            keep = np.argpartition(best, c - 1, axis=1)[:, :c]  # (n, c)
            best = np.take_along_axis(best, keep, axis=1)
            index = np.take_along_axis(index, keep, axis=1)
    floor = best.max(axis=1).astype(np.float64) if c < len(bank) else np.full(len(x), np.inf)
    return np.sort(index, axis=1), floor


def _distances(bank, x, index) -> np.ndarray:
    """Squared distances float64 (n, c) from x[i] to bank[index[i]], as differences."""
    columns = [np.square(x - bank[column]).sum(axis=1) for column in index.T]
    return np.stack(columns, axis=1)  # (n, c)


def _radius(bank, mean) -> float:
    """The largest distance of a bank row from the mean."""
    step = max(1, BUDGET // (8 * bank.shape[1]))
    return max(
        float(np.linalg.norm(bank[j : j + step] - mean, axis=1).max())
        for j in range(0, len(bank), step)
    )
