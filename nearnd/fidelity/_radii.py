"""Which fakes lie inside the neighbourhood of which real image, for density and coverage.

Definition of Naeem et al. (2020), arXiv 2002.09797, section 3: the neighbourhood of a real image is
the open ball whose radius is the distance to its k-th nearest *other* real image.
"""

from collections.abc import Iterator

import numpy as np

from nearnd.jobs.neighbours import nearest

BUDGET = 1 << 26  # bytes of one block of distances
EQUAL = 1e-12  # relative rounding error of a squared distance below which it is a tie


def inside(real: np.ndarray, fake: np.ndarray, k: int) -> Iterator[np.ndarray]:
    """Blocks of bool rows (n, M), over all real images in order: fake j lies in the open ball of
    real image i. real (N, D), fake (M, D); ValueError if N <= k."""
    if len(real) <= k:
        raise ValueError(
            f"{len(real)} real images are too few for k = {k}: density and coverage need more than"
            " k; choose a smaller k in the config's fidelity"
        )
    mean = real.mean(axis=0, dtype=np.float64)  # (D,)
    x, y = real - mean, fake - mean  # float64 (N, D), (M, D)
    xx, yy = np.square(x).sum(axis=1), np.square(y).sum(axis=1)  # (N,), (M,)
    tie = EQUAL * max(xx.max(), yy.max())
    # The image itself is the first of the k + 1 nearest, so the last is its k-th other one.
    radius = nearest(x, x, k + 1)[0][:, k]  # (N,) squared
    step = max(1, BUDGET // (8 * len(y)))
    for i in range(0, len(x), step):
        rows = slice(i, i + step)
        squared = xx[rows, None] - 2 * (x[rows] @ y.T) + yy  # (n, M)
        yield squared < radius[rows, None] - tie  # copies sit exactly on a radius
