"""What the shallow scores share: scaled and reduced features."""

import logging
from collections.abc import Callable

import numpy as np

ALIKE = 1e-4
log = logging.getLogger("nearnd")


def check_pca(pca: float | int | None) -> None:
    """ValueError unless `pca` is None, a share of the variance in (0, 1), or a number >= 1."""
    share = isinstance(pca, float) and 0 < pca < 1
    number = isinstance(pca, int) and not isinstance(pca, bool) and pca >= 1
    if not (pca is None or share or number):
        raise ValueError(
            f"pca is {pca!r}; it takes a share of the variance between 0 and 1, a whole number of"
            " components, or null"
        )


def distinct(b: np.ndarray) -> np.ndarray:
    """The rows (M', P) of a bank without those that repeat an earlier one: nearer to it than
    ALIKE times the bank's standard deviation. The log says how many there were.

    Where more images than neighbours are looked at are the same one, distances between normal
    images are 0, and densities say nothing.
    """
    from sklearn.neighbors import NearestNeighbors

    first = np.sort(np.unique(b, axis=0, return_index=True)[1])  # most repetitions, quickly
    radius = ALIKE * np.sqrt(b.var(axis=0).sum())
    near = NearestNeighbors(radius=radius).fit(b[first]).radius_neighbors(return_distance=False)
    keep = first[[bool((others > i).all()) for i, others in enumerate(near)]]
    if len(keep) < len(b):
        log.warning(
            f"{len(b) - len(keep)} of {len(b)} normal training images repeat another one; where"
            " distances between them count, each counts once"
        )
    return b[keep]


def prepared(
    bank: np.ndarray, standardise: bool, pca: float | int | None, seed: int
) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """The bank as float64 (M, P), and the function that does the same to queries (n, D).

    `standardise`: each feature minus its mean over the bank, divided by its standard deviation
    (features that are constant in the bank are only shifted). `pca`: then the leading principal
    components, as many as explain that share of the variance, or that many.
    """
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    b, steps = np.asarray(bank, np.float64), []  # (M, D)
    if standardise:
        steps.append(StandardScaler().fit(b))
        b = steps[-1].transform(b)  # (M, D)
    if pca is not None:
        if pca > min(b.shape):
            raise ValueError(
                f"pca is {pca}, but a bank of {b.shape[0]} images with {b.shape[1]} features has"
                f" at most {min(b.shape)} components: choose fewer in the config's scores"
            )
        steps.append(PCA(pca, random_state=seed).fit(b))
        b = steps[-1].transform(b)  # (M, P)

    def same(x: np.ndarray) -> np.ndarray:
        for step in steps:
            x = step.transform(x)
        return x  # (n, P)

    return b, same
