"""How well anomaly maps find the marked pixels of a task's test images: AUROC, AUPRO, IoU.

Exact, by counting: of all pixels only the marked ones and the highest normal ones are in memory
together.
"""

import numpy as np

from nearnd.tables_figures._maps import shown

LIMIT = 0.3  # of the false positive rate, up to which AUPRO goes (Bergmann et al. 2021)
QUANTILE = 0.99  # of the pixels of normal images, which the threshold leaves unmarked
ALL = "all anomalies"


def measures(
    source: dict, quantile: float = QUANTILE, kinds: bool = True
) -> dict[str, dict[str, float]]:
    """Of a task ("maps" in contracts.Drawing): {kind of anomaly: {measure: value in [0, 1]}}, ALL
    first (alone if not `kinds`), each over the images of that kind and the normal ones; {} without
    masks, without marked pixels or without unmarked ones.

    auroc         of the pixels, marked against not marked; ties count half
    aupro         the area under the mean share of each marked region that is found, over the share
                  of unmarked pixels that are too, up to LIMIT of the latter and divided by it. A
                  region is what hangs together, corners included; large and small ones count alike
    iou           marked and found pixels over those that are one of both, where found is what lies
                  above the `quantile` of the pixels of normal images
    iou_oracle    the same at the threshold that the marks themselves choose: the highest true minus
                  false positive rate (NLN's rule). No number for a detector that has to choose one
    """
    if source["masks"] is None:
        return {}
    anomaly, classes = source["is_anomaly"], source["class"]
    values, sizes, of = _marked(source)
    groups = {ALL: np.ones(len(anomaly), bool)}
    for kind in dict.fromkeys(classes[anomaly].tolist() if kinds else []):
        groups[kind] = ~anomaly | (classes == kind)
    cut, found = _quantile(source, quantile), {}
    for kind, images in groups.items():
        mine = images[of]  # of the marked pixels
        if mine.any():
            found[kind] = _measure(source, images, values[mine], sizes[mine], cut)
    return {kind: value for kind, value in found.items() if value}


def _measure(source: dict, images: np.ndarray, values, sizes, cut: float) -> dict[str, float]:
    """Of some images, whose marked pixels have these values (P,) and lie in regions of these sizes
    (P,)."""
    order = np.argsort(values, kind="stable")
    values, weight = values[order], 1 / sizes[order]  # (P,) rising
    p, n, false = len(values), 0, 0
    above, level = np.zeros(p + 1), np.zeros(p + 1)
    for i in np.flatnonzero(images):
        others = _unmarked(source, i)
        n, false = n + len(others), false + int((others > cut).sum())
        above += np.bincount(np.searchsorted(values, others, "left"), minlength=p + 1)
        level += np.bincount(np.searchsorted(values, others, "right"), minlength=p + 1)
    if not n:
        return {}
    # of each marked pixel: the share of unmarked ones above it, and of those not below it
    a, b = (1 - np.cumsum(counts)[:-1] / n for counts in (above, level))  # (P,)
    reached = np.searchsorted(values, values, "left")  # how many marked pixels are below it
    right = p - reached  # are found with it
    best = int(np.argmax(right / p - b))
    true = p - int(np.searchsorted(values, cut, "right"))
    return {
        "auroc": float(_area(a, b, 1.0).mean()),
        "aupro": float((_area(a, b, LIMIT) * weight).sum() / weight.sum() / LIMIT),
        "iou": true / (p + false),
        "iou_oracle": float(right[best] / (p + b[best] * n)),
    }


def _area(a: np.ndarray, b: np.ndarray, limit: float) -> np.ndarray:
    """The area up to `limit` under the curve that rises from 0 to 1, straight, between a and b."""
    wide = np.where(b > a, b - a, 1)
    part = np.square(np.clip(limit - a, 0, None)) / (2 * wide)  # it ends on the slope
    return np.where(limit >= b, limit - (a + b) / 2, part)


def _marked(source: dict) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of all marked pixels (P,): values, sizes of their regions, and the images they are of."""
    from scipy.ndimage import label

    values, sizes, of = [], [], []
    for i in range(len(source["pixels"])):
        _, maps, masks = shown(source, slice(i, i + 1))
        there = masks[0] > 0  # (s, s)
        if there.any():
            regions, _ = label(there, np.ones((3, 3)))
            values.append(maps[0][there])
            sizes.append(np.bincount(regions.ravel())[regions[there]])
            of.append(np.full(len(values[-1]), i))
    empty = [np.zeros(0, np.float32)], [np.zeros(0, int)], [np.zeros(0, int)]
    return tuple(
        np.concatenate(e + each) for e, each in zip(empty, (values, sizes, of), strict=True)
    )


def _quantile(source: dict, share: float) -> float:
    """The value that this share of the pixels of normal images does not exceed."""
    rows = np.flatnonzero(~source["is_anomaly"])
    if not len(rows):
        return np.inf
    n, top = 0, np.zeros(0, np.float32)
    side = shown(source, slice(0, 1))[1].shape[1]
    keep = int((1 - share) * len(rows) * side * side + 1e-9) + 1
    for i in rows:
        new = np.concatenate([top, shown(source, slice(i, i + 1))[1].ravel()])
        n, top = n + side * side, np.partition(new, -min(keep, len(new)))[-keep:]
    return float(top.min())


def _unmarked(source: dict, i: int) -> np.ndarray:
    """The map's values of image i where nothing is marked."""
    _, maps, masks = shown(source, slice(i, i + 1))
    return maps[masks == 0]
