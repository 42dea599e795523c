"""Coverage: how much of the real images the fakes reach."""

import numpy as np

from nearnd.contracts import configured
from nearnd.fidelity._radii import inside

UNIT = "share of real images"


@configured
def build(real: np.ndarray, fake: np.ndarray, /, k: int = 5) -> float:
    """coverage = share of real images with at least one fake in their ball, in [0, 1].

    Measures diversity: fakes of the real images' law reach about 1 - 2**-k for as many fakes as
    real images. Naeem et al. (2020), eq. 6; k is
    the example of their code, FITYMI does not state it.
    """
    reached = sum(int(block.any(axis=1).sum()) for block in inside(real, fake, k))
    return reached / len(real)
