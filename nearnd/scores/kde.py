"""Kernel density estimate of the normal features."""

import logging

import numpy as np

from nearnd.contracts import Embedding, Score
from nearnd.scores._features import in_chunks, pair
from nearnd.scores._shallow import check_pca, distinct, prepared

READS = ["features"]
GRID = tuple(2**power for power in np.linspace(0.5, 5, 10).tolist())  # Deep-SVDD's code
FOLDS = 5
log = logging.getLogger("nearnd")


def build(
    bandwidth: float | list[float] | None = None,
    standardise: bool = False,
    pca: float | int | None = None,
    feature: str = "features",
) -> Score:
    """score(x) = -log mean_i exp(-|x - b_i|^2 / 2 h^2) over the bank b, with the bandwidth h.

    That is the negative log density without its constant (D/2) log(2 pi h^2), which ranks nothing
    but would cost float32 the digits that tell images apart. `bandwidth`: a number, or a list from
    which the held-out log density over five random parts of the bank chooses (of images that
    repeat each other one is asked: else the smallest would win); null is the list
    2^0.5, 2^1, ..., 2^5. The log says where the choice is at an end of the list. In many dimensions
    `standardise` and `pca` (see _shallow.prepared) make the list fit.

    Distances are one matrix product for all bandwidths: in more than some 20 dimensions the trees
    of sklearn.neighbors.KernelDensity save nothing.
    """
    widths = GRID if bandwidth is None else np.atleast_1d(bandwidth).tolist()
    if not widths or not all(isinstance(h, int | float) and h > 0 for h in widths):
        raise ValueError(f"bandwidth is {bandwidth!r}; it takes numbers above 0, or null")
    check_pca(pca)

    def score(bank: Embedding, queries: Embedding, *, seed: int = 0) -> np.ndarray:
        from scipy.special import logsumexp
        from sklearn.metrics.pairwise import euclidean_distances

        b, x = pair(bank, queries, feature)
        b, same = prepared(b, standardise, pca, seed)  # (M, P)
        h = _choose(distinct(b), sorted(widths), seed) if len(widths) > 1 else widths[0]

        def minus_log_mean(x: np.ndarray) -> np.ndarray:
            squared = euclidean_distances(same(x), b, squared=True)  # (n, M)
            return np.log(len(b)) - logsumexp(-1 / (2 * h**2) * squared, axis=1)  # (n,)

        wide = 4 * max(len(b), x.shape[1])
        return in_chunks(minus_log_mean, x, wide)  # (N,)

    return score


def _choose(b: np.ndarray, widths: list[float], seed: int) -> float:
    """The bandwidth with the best held-out log density."""
    if len(b) < FOLDS:
        raise ValueError(
            f"the bandwidth is chosen over {FOLDS} parts of the bank, which has only {len(b)}"
            " images: give a number as `bandwidth` in the config's scores"
        )
    likelihood = held_out(b, widths, seed)  # (widths,)
    best = widths[int(np.argmax(likelihood))]
    at_end = ", an end of the list" if best in (widths[0], widths[-1]) else ""
    log.info(f"kde: bandwidth {best:.4g}{at_end}")
    return best


def held_out(b: np.ndarray, widths: list[float], seed: int) -> np.ndarray:
    """The mean log density (widths,) of the rows of b, each under a density of the other parts."""
    from scipy.special import logsumexp
    from sklearn.metrics.pairwise import euclidean_distances
    from sklearn.model_selection import KFold

    h = np.asarray(widths)
    logs = []
    for others, part in KFold(FOLDS, shuffle=True, random_state=seed).split(b):
        rest = b[others]  # (M, P)

        def each(x: np.ndarray, rest=rest) -> np.ndarray:
            squared = euclidean_distances(x, rest, squared=True)  # (n, M)
            return np.stack([logsumexp(-1 / (2 * w**2) * squared, axis=1) for w in widths], axis=1)

        logs.append(in_chunks(each, b[part], 4 * max(rest.shape), np.float64) - np.log(len(rest)))
    return np.concatenate(logs).mean(axis=0) - b.shape[1] / 2 * np.log(2 * np.pi * h**2)
