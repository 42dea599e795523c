"""One seed for each generated image."""

import numpy as np


def image_seeds(seed: int, n: int) -> np.ndarray:
    """n seeds in [0, 2^32), uint64 (n,); the first ones do not depend on n."""
    return np.random.SeedSequence(seed).generate_state(n).astype(np.uint64)
