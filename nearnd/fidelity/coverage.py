"""Coverage: how much of the real images the fakes reach."""

import numpy as np

from nearnd.contracts import Fidelity
from nearnd.fidelity._radii import inside

UNIT = "share of real images"


def build(k: int = 5) -> Fidelity:  # the example of the paper's own code; FITYMI does not state k
    """coverage = share of real images with at least one fake in their ball, in [0, 1].

    Measures diversity: fakes of the real images' law reach about 1 - 2**-k for as many fakes as
    real images. Naeem et al. (2020), eq. 6.
    """

    def coverage(real: np.ndarray, fake: np.ndarray) -> float:
        reached = sum(int(block.any(axis=1).sum()) for block in inside(real, fake, k))
        return reached / len(real)

    return coverage
