"""The worst places of an image: the highest values of its anomaly map."""

import numpy as np

from nearnd.contracts import Embedding, Score

READS = ["map"]
BANK = False
MAP = True


def build(share: float = 0.0) -> Score:
    """score(x) = the mean of the highest `share` of the map of x, rounded down, but of one value at
    least: 0 is the maximum (PatchCore), 0.01 is AnomalyDINO's and SubspaceAD's, which one odd patch
    moves less.

    For detectors that embed a map: the detector has compared it with normal images, so there is no
    bank. Raises ValueError for maps that are not finite."""

    def highest(bank: Embedding, queries: Embedding, *, seed: int = 0) -> Embedding:
        n, h, w = queries["map"].shape
        k = max(1, int(share * h * w + 1e-9))  # 0.29 * 100 is a little less than 29
        top = np.partition(queries["map"].reshape(n, h * w), -k, axis=1)[:, -k:]  # (N, k)
        score = top.mean(axis=1).astype(np.float32)  # (N,)
        if bad := int((~np.isfinite(score)).sum()):
            raise ValueError(f"{bad} of {len(score)} maps are not finite; see the detector's log")
        return {"score": score, "map": queries["map"]}  # (N,), (N, h, w)

    return highest


def graph(bank: Embedding, *, share: float, **rest):
    """See contracts.py."""

    def of(arrays):
        flat = arrays["map"].flatten(1)  # (n, h w)
        k = max(1, int(share * flat.shape[1] + 1e-9))
        return {"score": flat.topk(k, dim=1).values.mean(1), "map": arrays["map"]}

    return of
