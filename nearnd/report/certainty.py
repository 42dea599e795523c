"""How certain the numbers of a table are over other images, and which methods they tell apart.

The numbers are means of AUROCs over tasks (normal classes) that share their images, so the error of
a mean is not that of independent ones: each image's parts in the errors (delong.py) are averaged
over tasks as the AUROCs are, and what an image adds to one task and takes from another cancels.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from nearnd.report import delong
from nearnd.report.interval import interval as newcombe
from nearnd.report.paired import ANOMALY, NORMAL, Paired

# metrics of report/summary.py
METRICS = ["auroc_one_vs_rest", "auroc_bottom1", "auroc_clp", "auroc_same_class"]
FAR, WORST, CLOSEST, SAME = METRICS


class Certainty(NamedTuple):
    """Of M methods in C tasks on N images."""

    methods: list[str]
    normals: list[str]  # the tasks that have both groups
    auroc: np.ndarray  # (M, C), of the scores averaged over seeds
    parts: np.ndarray  # (M, C, N), of each image in its error
    mean: np.ndarray  # (M, C), of AUROCs over seeds: what tables show
    mean_parts: np.ndarray  # (M, C, N)
    sizes: np.ndarray  # (M, C, 2), normal images and anomalies, the fewest of all seeds


def certainty(
    paired: Paired, metric: str = FAR, nearest: Mapping[str, str] | None = None
) -> Certainty:
    """Of FAR, WORST (against the class where the method, and seed, has the least AUROC, which is
    taken as given), CLOSEST (against the class that `nearest` has for each normal) or SAME.

    Tasks without normal images, anomalies or a nearest class are left out.
    """
    near = {normal: normal for normal in paired.normals} if metric == SAME else (nearest or {})
    codes = {name: code for code, name in enumerate(paired.names)}
    tasks = []
    for c, normal in enumerate(paired.normals):
        anomaly = paired.group[c] == ANOMALY
        if metric in (CLOSEST, SAME):
            anomaly &= paired.classes == codes.get(near.get(normal, ""), -1)
        if anomaly.any() and (paired.group[c] == NORMAL).any():
            tasks.append((c, anomaly))
    methods, _, seeds, images = paired.scores.shape
    shape = (methods, len(tasks))
    found = Certainty(paired.methods, [paired.normals[c] for c, _ in tasks],
                      np.zeros(shape), np.zeros((*shape, images)), np.zeros(shape),
                      np.zeros((*shape, images)), np.full((*shape, 2), images))  # fmt: skip
    for i, (c, anomaly) in enumerate(tasks):
        normal = paired.group[c] == NORMAL

        def one(scores: np.ndarray, i=i, normal=normal, anomaly=anomaly) -> tuple:
            """AUROC (M,) and parts (M, N) of scores (M, N)."""
            auroc, parts = np.zeros(methods), np.zeros((methods, images))
            for rows, against in _groups(scores, normal, anomaly, paired.classes, metric):
                used = normal | against
                auroc[rows], part = delong.components(scores[np.ix_(rows, used)], against[used])
                parts[np.ix_(rows, used)] = part
                sizes = [normal.sum(), against.sum()]
                found.sizes[rows, i] = np.minimum(found.sizes[rows, i], sizes)
            return auroc, parts

        for s in range(seeds):
            auroc, parts = one(paired.scores[:, c, s].astype(np.float64))
            found.mean[:, i] += auroc / seeds
            found.mean_parts[:, i] += parts / seeds
        together = paired.scores[:, c].mean(1, dtype=np.float64)  # (M, N)
        found.auroc[:, i], found.parts[:, i] = one(together) if seeds > 1 else (auroc, parts)
    return found


def _groups(scores, normal, anomaly, classes, metric):
    """Methods, by number, with the anomalies (N,) that they are held against."""
    if metric != WORST:
        yield np.arange(len(scores)), anomaly
        return
    worst = _worst(scores[:, normal], scores[:, anomaly], classes[anomaly])
    for code in np.unique(worst):
        yield np.flatnonzero(worst == code), anomaly & (classes == code)


def _worst(normal: np.ndarray, anomaly: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """(M,) the class of least AUROC, from scores (M, n) and (M, m); the first such one."""
    both = np.concatenate([anomaly, normal], axis=1)
    m = anomaly.shape[1]
    below = delong.midranks(both)[:, :m] - delong.midranks(anomaly)  # (M, m) normal images below
    names, first, codes = np.unique(classes, return_index=True, return_inverse=True)
    order = np.argsort(first)
    sums = np.stack([np.bincount(codes, row) for row in below])  # (M, K)
    means = (sums / np.bincount(codes)).round(9)[:, order]
    return names[order][means.argmin(1)]


def over_datasets(parts: list[tuple[Certainty, list[str]]], methods: list[str]) -> Certainty:
    """Of datasets with different images, each as one task: the mean over its given normals. The
    error of a mean over datasets is then that of independent numbers."""
    images = [part.parts.shape[-1] for part, _ in parts]
    shape = (len(methods), len(parts))
    found = Certainty(methods, [str(d) for d in range(len(parts))],
                      np.zeros(shape), np.zeros((*shape, sum(images))), np.zeros(shape),
                      np.zeros((*shape, sum(images))), np.zeros((*shape, 2), int))  # fmt: skip
    for d, (part, normals) in enumerate(parts):
        at = np.ix_(_at(part.methods, methods), _at(part.normals, normals))
        place = slice(sum(images[:d]), sum(images[: d + 1]))
        found.auroc[:, d], found.mean[:, d] = part.auroc[at].mean(1), part.mean[at].mean(1)
        found.parts[:, d, place] = part.parts[at].mean(1)
        found.mean_parts[:, d, place] = part.mean_parts[at].mean(1)
        found.sizes[:, d] = part.sizes[at].min(1)
    return found


def ties(
    found: Certainty, best: str, methods: list[str] | None = None, normals: list[str] | None = None
) -> dict[str, bool]:
    """{method: whether these images do not show that it is worse than `best`}, which is one of
    them, by DeLong's paired test of the mean AUROC over `normals` (all tasks if None), with Holm's
    method over `methods` (all if None): neither of the scores averaged over seeds, nor of the AUROC
    averaged over seeds, which is the number in the table. These differ where averaging scores helps
    one method more than the other."""
    tests = [below(found, best, methods, normals, kind) for kind in ("scores", "aurocs")]
    return {
        method: not any(t[method][0] > 0 and t[method][1] < delong.ALPHA for t in tests)
        for method in tests[0]
    }


def below(
    found: Certainty,
    best: str,
    methods: list[str] | None = None,
    normals: list[str] | None = None,
    averaged: Literal["scores", "aurocs"] = "scores",
) -> dict[str, tuple[float, float]]:
    """{method: (how far its mean AUROC is below that of `best`, p)}, one of the tests of `ties`; p
    of `best` itself is nan. averaged: what is averaged over seeds, first of all or last."""
    rows, columns = _at(found.methods, methods), _at(found.normals, normals)
    auroc, parts = {
        "scores": (found.auroc, found.parts), "aurocs": (found.mean, found.mean_parts)
    }[averaged]  # fmt: skip
    auroc, parts = auroc[np.ix_(rows, columns)].mean(1), parts[np.ix_(rows, columns)].mean(1)
    names = [found.methods[i] for i in rows]
    difference, p = delong.against(auroc, parts, names.index(best))
    return {n: (float(d), float(q)) for n, d, q in zip(names, difference, p, strict=True)}


def interval(
    found: Certainty, method: str, normals: list[str] | None = None
) -> tuple[float, float]:
    """The 95 % interval over images of a method's mean AUROC over `normals` and seeds: DeLong's
    error on the logit scale; where that sees none (all anomalies above all normal images, or one
    image in a group), Newcombe's, from the numbers of images in the smallest task."""
    row, columns = found.methods.index(method), _at(found.normals, normals)
    mean = float(found.mean[row, columns].mean())
    error = float(np.linalg.norm(found.mean_parts[row, columns].mean(0)))
    if error > 0 and 0 < mean < 1:  # not nan
        return delong.interval(mean, error)
    return newcombe(mean, *map(int, found.sizes[row, columns].min(0)))


def _at(names: list[str], some: list[str] | None) -> list[int]:
    return list(range(len(names))) if some is None else [names.index(name) for name in some]
