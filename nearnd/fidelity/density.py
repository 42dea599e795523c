"""Density: how deep fakes lie among the real images."""

import numpy as np

from nearnd.contracts import configured
from nearnd.fidelity._radii import inside

UNIT = "1 = like real images"


@configured
def build(real: np.ndarray, fake: np.ndarray, /, k: int = 5) -> float:
    """density = (1 / kM) * number of pairs (fake j, real i) with fake j in the ball of real i.

    A share, but not one of at most 1: about 1 for fakes of the real images' law, 0 for fakes far
    from all of them, above 1 if they crowd where real images are dense. Measures fidelity.
    Naeem et al. (2020), eq. 5; k is the example of their code, FITYMI does not state it.
    """
    hits = sum(int(block.sum()) for block in inside(real, fake, k))
    return hits / (k * len(fake))
