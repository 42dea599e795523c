"""How well a method tells normal images with a drawn defect from those without."""

from collections.abc import Callable

import numpy as np

from nearnd.report.drawn_defects import DEFECTS, drawn

MOST = 100  # normal images on which defects are drawn
TIE = 0.01  # of AUROC: methods whose means differ by less are called equal


def some(n: int) -> np.ndarray:
    """The rows of at most MOST of n images, evenly spread."""
    return np.linspace(0, n - 1, min(MOST, n)).astype(int)


def scored(scores: Callable, pixels: np.ndarray) -> dict[str, np.ndarray]:
    """The scores (N,) of the images (N, H, W, C) with each kind of defect. scores: as of `scorer`
    (model_folder.py)."""
    return {name: scores(drawn(name, pixels))[0]["score"] for name in DEFECTS}


def aurocs(held_out: np.ndarray, found: dict[str, np.ndarray]) -> dict[str, float]:
    """Of each kind of defect, the share of pairs of a held-out image (n,) and one with a defect in
    which the latter scores higher; ties count half."""
    ranks = np.sort(held_out)
    return {
        name: float(sum(np.searchsorted(ranks, x, side).mean() for side in ("left", "right")))
        / (2 * len(ranks))
        for name, x in found.items()
    }


def best(found: dict[str, dict[str, float]]) -> str:
    """The first method whose mean over the kinds of defect is at most TIE below the highest.

    found: AUROC of each kind by method, the simplest method first.
    """
    means = {method: float(np.mean(list(of.values()))) for method, of in found.items()}
    return next(m for m, mean in means.items() if mean >= max(means.values()) - TIE - 1e-12)
