"""The worst place of an image: the maximum of its anomaly map (PatchCore)."""

import numpy as np

from nearnd.contracts import Embedding, Score

READS = ["map"]
BANK = False
MAP = True


def build() -> Score:
    """score(x) = the largest value of the map of x, for detectors that embed a map. The detector
    has compared it with normal images, so there is no bank. Raises ValueError for maps that are
    not finite."""

    def highest(bank: Embedding, queries: Embedding, *, seed: int = 0) -> Embedding:
        score = queries["map"].max(axis=(1, 2)).astype(np.float32)  # (N,)
        if bad := int((~np.isfinite(score)).sum()):
            raise ValueError(f"{bad} of {len(score)} maps are not finite; see the detector's log")
        return {"score": score, "map": queries["map"]}  # (N,), (N, h, w)

    return highest
