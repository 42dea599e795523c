"""How many generated images are copies of training images."""

from __future__ import annotations

import numpy as np

CHUNK = 1024  # rows of a distance matrix at a time


def nearest(queries: np.ndarray, bank: np.ndarray, skip_self: bool = False):
    """Index (N,) and Euclidean distance (N,) of the nearest row of bank (M, D).

    `skip_self` is for queries that are the bank: row i is not its own neighbour.
    """
    index, distance = np.empty(len(queries), np.int64), np.empty(len(queries))
    squares = (bank**2).sum(1)  # (M,)
    for i in range(0, len(queries), CHUNK):
        q = queries[i : i + CHUNK]
        d2 = squares - 2 * q @ bank.T  # (n, M), without the constant of the query
        if skip_self:
            d2[np.arange(len(q)), i + np.arange(len(q))] = np.inf
        index[i : i + CHUNK] = j = d2.argmin(1)
        distance[i : i + CHUNK] = np.linalg.norm(q - bank[j], axis=1)  # exact, unlike d2
    return index, distance


def share(fakes: np.ndarray, training: np.ndarray, ratio: float = 0.5) -> float:
    """The share of fakes (n, H, W, C) that copy a training image (N, H, W, C).

    A fake is a copy if it is nearer to a training image than `ratio` times the distance from that
    image to its own nearest neighbour among the training images, in pixels. A set drawn from the
    same law as the training set has few of them; a generator that memorises has many.
    """
    if len(training) < 2:
        return float("nan")
    x = np.asarray(training, np.float32).reshape(len(training), -1) / 255  # (N, D)
    y = np.asarray(fakes, np.float32).reshape(len(fakes), -1) / 255  # (n, D)
    _, radius = nearest(x, x, skip_self=True)
    index, distance = nearest(y, x)
    return float((distance < ratio * radius[index]).mean())
