"""CSI's score: how alike a training image the shifts of an image are, and how surely they are told.

For detectors that embed "projections" z (N, K, d) and "shift_logits" f (N, K), of K shifts of each
image; f_k is the logit of the right one. Tack et al. 2020, section 2.3 and appendix, as in the
official code.
"""

from collections.abc import Sequence

import numpy as np

from nearnd.contracts import Embedding, Score
from nearnd.scores._features import pair
from nearnd.scores._projections import alike

READS = ["projections", "shift_logits"]
PARTS = ("contrastive", "shift")


def build(parts: Sequence[str] = PARTS) -> Score:
    """score(x) = -mean_k (max_m z_k(x) . z_k(m) / |z_k(m)| / C_k + f_k(x) / S_k), m over the bank.

    The balance is the bank's: C_k the mean of |z_k(m)| and S_k that of f_k(m). `parts`: both terms,
    or one of them; the contrastive one alone is what CSI's paper calls SimCLR, where K is 1.
    ValueError where S_k is not positive: dividing by it would turn the sign.
    """
    if not parts or not set(parts) <= set(PARTS):
        raise ValueError(f"parts is {parts!r}; csi takes one or both of {list(PARTS)}")

    def score(bank: Embedding, queries: Embedding, *, seed: int = 0) -> np.ndarray:
        surely, sure = pair(bank, queries, "shift_logits")  # (M, K), (N, K)
        k = surely.shape[1]
        total = np.zeros(len(sure))
        if "contrastive" in parts:
            total += alike(*pair(bank, queries, "projections"), k)  # (M, K d), (N, K d)
        if "shift" in parts:
            mean = surely.mean(0, dtype=np.float64)  # (K,)
            if not (mean > 0).all():
                raise ValueError(
                    "the detector does not know the shifts of its own training images (mean logits"
                    f" {np.round(mean, 3).tolist()}): train it longer, or set `parts:"
                    " [contrastive]` in the score's entry"
                )
            total += (sure / mean).sum(1)
        return (-total / k).astype(np.float32)  # (N,)

    return score
