"""Exact nearest neighbours in bounded memory: a fast float32 search, then float64 where it counts.

|x - b|^2 = |x|^2 - 2 x.b + |b|^2 is one matrix product, but loses digits by cancellation: a copy of
a bank row would not get distance 0, and a rotated bank other neighbours. So the product only
proposes candidates. Those that its rounding error leaves in doubt have their distances computed
anew as differences in float64; where the error could have kept a true neighbour out, the search is
repeated in float64.

Own code for two reasons. A job that scores starts in 0.4 s of processor time, with
sklearn.neighbors in 1.3 s, and the default run has 172 of them. And scikit-learn stops at the
candidates: the exact distances and the proof that no neighbour is missing, most of this file, would
stay. `networks/nearest.py` is its counterpart on the device of a job.
"""

import numpy as np

BUDGET = 1 << 26  # bytes of one temporary array; the answer does not depend on it
SPARE = 8  # candidates beyond k, so that the second search is rarely needed
TILE = 512, 8192  # queries times bank rows of one product, so that it stays in the cache
SLABS = 16  # a row of products is searched as so many slabs, laid over each other


def nearest(bank: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Squared Euclidean distances float64 (N, k) to the k nearest rows of the bank, nearest first,
    and those rows' indices (N, k).

    bank (M, D), queries (N, D), k <= M. Ties go to the lower index.
    """
    m, d = bank.shape
    # Centring makes the cancellation smaller. Any point in the middle will do: one that float32
    # holds exactly moves bank and queries, of whatever type, by the same amount
    middle = bank.mean(axis=0, dtype=np.float64).astype(np.float32)  # (D,)
    rows = max(1, min(4096, BUDGET // (8 * d)))
    distances = np.empty((len(queries), k))
    indices = np.empty((len(queries), k), np.int64)
    for i in range(0, len(queries), rows):
        x = queries[i : i + rows]  # (n, D)
        open_rows = np.arange(len(x))  # queries whose neighbours are not certain yet
        for dtype in (np.float32, np.float64):
            found, estimate, largest = _candidates(
                bank, x[open_rows], middle, min(m, k + SPARE), dtype
            )
            # Rounding error of the estimates: D additions of terms that sum up to `largest`
            error = 2 * (d + 4) * np.finfo(dtype).eps * largest  # (n,)
            kth = np.partition(estimate, k - 1, axis=1)[:, k - 1]  # (n,)
            far = estimate > (kth + 2 * error)[:, None]  # (n, c) without doubt
            exact = _distances(bank, x[open_rows], found, ~far)  # (n, c)
            order = np.argsort(exact, axis=1, kind="stable")[:, :k]  # (n, k)
            exact = np.take_along_axis(exact, order, axis=1)  # (n, k)
            distances[i + open_rows] = exact
            indices[i + open_rows] = np.take_along_axis(found, order, axis=1)
            floor = estimate.max(axis=1) - error  # (n,) no other row is nearer than this
            whole = (found.shape[1] == m) & np.isfinite(error)  # unless squares overflow
            open_rows = open_rows[~(exact[:, -1] <= floor) & ~whole]
            if not len(open_rows):
                break
    return distances, indices


def _candidates(bank, x, middle, c: int, dtype) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices (n, c) in ascending order of the bank rows with the smallest estimated distance,
    those estimates float64 (n, c), and the largest that |x|^2 + 2 |x||b| + |b|^2 can be (n,)."""
    x = _centred(x, middle, dtype)  # (n, D)
    xx = np.einsum("nd,nd->n", x, x)  # (n,)
    x = -2 * x
    best = np.full((len(x), 2 * c), np.inf, dtype)  # the best so far, and those of one block
    index = np.zeros((len(x), 2 * c), np.int64)
    radius = 0.0
    tile, step = TILE[0], max(1, min(TILE[1], BUDGET // (8 * bank.shape[1])))
    for j in range(0, len(bank), step):
        b = _centred(bank[j : j + step], middle, dtype)  # (m, D)
        bb = np.einsum("md,md->m", b, b)  # (m,)
        radius = max(radius, np.sqrt(bb.max()))
        new = slice(c, c + min(c, len(b)))
        products = np.empty((min(tile, len(x)), len(b)), dtype)  # one place for all tiles
        for i in range(0, len(x), tile):
            part = x[i : i + tile]
            estimate = np.matmul(part, b.T, out=products[: len(part)])  # (n, m)
            estimate += bb
            part = _smallest(estimate, c)  # (n, <= c)
            best[i : i + tile, new] = np.take_along_axis(estimate, part, axis=1)
            index[i : i + tile, new] = part + j
        keep = np.argpartition(best, c - 1, axis=1)[:, :c]  # (n, c)
        best[:, :c] = np.take_along_axis(best, keep, axis=1)
        index[:, :c] = np.take_along_axis(index, keep, axis=1)
        best[:, c:] = np.inf
    order = np.argsort(index[:, :c], axis=1)  # (n, c)
    best = np.take_along_axis(best, order, axis=1) + xx[:, None]  # (n, c)
    largest = (np.sqrt(xx).astype(np.float64) + radius) ** 2  # (n,)
    return np.take_along_axis(index, order, axis=1), best.astype(np.float64), largest


def _smallest(values: np.ndarray, c: int) -> np.ndarray:
    """Columns (n, c) of the c smallest values of each row, all columns if there are no more.

    The c smallest lie in the c groups with the smallest minima, a group being the columns g,
    g + width, g + 2 width, ...: their minima are fast to take, and few values are left to sort.
    """
    n, m = values.shape
    if m <= c:
        return np.broadcast_to(np.arange(m), (n, m))
    width = m // SLABS
    if width <= c:
        return np.argpartition(values, c - 1, axis=1)[:, :c]  # (n, c)
    slabs = values[:, : SLABS * width].reshape(n, SLABS, width)
    groups = np.argpartition(slabs.min(axis=1), c - 1, axis=1)[:, :c]  # (n, c)
    columns = (groups[:, :, None] + width * np.arange(SLABS)).reshape(n, -1)  # (n, c * SLABS)
    rest = np.broadcast_to(np.arange(SLABS * width, m), (n, m - SLABS * width))
    columns = np.concatenate([columns, rest], axis=1)
    few = np.take_along_axis(values, columns, axis=1)
    return np.take_along_axis(columns, np.argpartition(few, c - 1, axis=1)[:, :c], axis=1)


def _centred(array: np.ndarray, middle: np.ndarray, dtype) -> np.ndarray:
    """array - middle as `dtype`, subtracted in the finer of both types."""
    kind = np.result_type(array, middle, dtype)
    return np.subtract(array, middle, dtype=kind).astype(dtype, copy=False)


def _distances(bank, x, index, wanted) -> np.ndarray:
    """Squared distances float64 (n, c) from x[i] to bank[index[i]], as differences; infinity where
    they are not wanted."""
    exact = np.full(index.shape, np.inf)
    row, column = np.nonzero(wanted)  # (P,)
    step = max(1, BUDGET // (64 * bank.shape[1]))
    for p in range(0, len(row), step):
        i, j = row[p : p + step], column[p : p + step]
        difference = x[i].astype(np.float64)  # (p, D)
        difference -= bank[index[i, j]]
        exact[i, j] = np.einsum("pd,pd->p", difference, difference)
    return exact
