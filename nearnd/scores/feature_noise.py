"""A head that tells normal features from the same with noise on them.

The idea of SimpleNet (Liu et al. 2023) and GeneralAD (Sträter et al. 2024), who put noise on
patches, here on the one feature vector of an image: fakes that cost nothing to make. With
`general_ad` among the detectors there is the authors' own head.
"""

import numpy as np

from nearnd.contracts import Embedding, Score
from nearnd.jobs.quadratic_head import learnt
from nearnd.scores._features import in_chunks, pair

READS = ["features"]
RANGES = {"noise": (0.0, 1000), "strength": (1e-6, 1e6)}


def build(
    noise: float = 1.0,  # deviation, in units of each feature's own: ours; GeneralAD's 0.25 is of
    # another network's patches
    strength: float = 1.0,  # of the fit: scikit-learn's C
    feature: str = "features",
) -> Score:
    """score(x) = the head's logit of noised minus normal; one fake for each row of the bank."""
    if not noise > 0:
        raise ValueError(f"noise is {noise!r}; a feature_noise score takes a number above 0")

    def score(bank: Embedding, queries: Embedding, *, seed: int = 0) -> np.ndarray:
        b, x = pair(bank, queries, feature)
        rng = np.random.default_rng(seed)
        fakes = b + noise * b.std(axis=0) * rng.standard_normal(b.shape)  # (M, D)
        head = learnt(b, fakes, strength=strength)
        return in_chunks(head.logit, x, 3 * b.shape[1])  # (N,)

    return score
