"""How certain the numbers of a paper's table are, and which of ours the images tell apart."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import pandas as pd

from nearnd.report.certainty import (
    CLOSEST,
    METRICS,
    Certainty,
    certainty,
    interval,
    over_datasets,
    ties,
)
from nearnd.report.paired import Paired

STATED = "auroc_clp_stated"  # against the class that the paper names


class What(NamedTuple):
    """What a number is of, beside its method: numbers of the same are compared."""

    datasets: tuple[str, ...]
    test: str
    metric: str
    normals: tuple[tuple[str, ...], ...]  # of each dataset, those that the mean is over


class Certainties:
    """Found by test set and metric, computed once."""

    def __init__(self, sets: list[Paired], near: dict[str, pd.DataFrame]):
        """near  {metric against one class: dataset, test, normal, anomaly}"""
        self.sets, self.near = sets, near
        self.done: dict[tuple[int, str], Certainty] = {}

    def of(self, what: What, methods: Iterable[str]) -> Certainty | None:
        """Each dataset as one task; None where nothing is known, as of a metric that is no AUROC,
        of a corrupted copy, or of methods that were never run together."""
        methods, found = list(methods), []
        for dataset, normals in zip(what.datasets, what.normals, strict=True):
            certain = self._one(dataset, what.test, what.metric, methods)
            if certain is None or not {*normals} <= {*certain.normals}:
                return None
            found.append((certain, list(normals)))
        return over_datasets(found, methods)

    def _one(self, dataset: str, test: str, metric: str, methods: list[str]) -> Certainty | None:
        if metric not in self.near and metric not in METRICS:
            return None
        for i, each in enumerate(self.sets):
            if (each.dataset, each.test) == (dataset, test) and {*methods} <= {*each.methods}:
                if (i, metric) not in self.done:
                    plain = CLOSEST if metric in self.near else metric
                    nearest = self._nearest(dataset, test, metric)
                    self.done[i, metric] = certainty(each, plain, nearest)
                return self.done[i, metric]
        return None

    def _nearest(self, dataset: str, test: str, metric: str) -> dict[str, str]:
        if metric not in self.near:
            return {}
        near = self.near[metric]
        own = near[(near["dataset"] == dataset) & (near["test"] == test)]
        return dict(zip(own["normal"], own["anomaly"], strict=True))


def mark(ours: dict[tuple[str, str], Any], of: Certainties, between: bool) -> None:
    """Says of each number whether it is the best of ours of the same, or ties with it (nothing of a
    method that is alone), and, if asked for, `between` what it may lie on other images."""
    for what, methods in _alike(ours).items():
        means = {method: cells[0]["mean"] for method, cells in methods.items()}
        certain = of.of(what, means) if len(means) > 1 else None
        best = ties(certain, max(means, key=means.__getitem__)) if certain else {}
        for method, cells in methods.items():
            alone = (certain or of.of(what, [method])) if between else None
            ends = interval(alone, method) if alone else None
            for cell in cells:
                cell |= {"best": best.get(method, False), "ends": ends}


def _alike(cells: dict[tuple[str, str], Any]) -> dict[What, dict[str, list[dict[str, Any]]]]:
    """{what: {method: its cells}} of cells that say what they are of."""
    found: dict[What, dict[str, list[dict[str, Any]]]] = {}
    for cell in cells.values():
        if isinstance(cell, dict) and "of" in cell:
            found.setdefault(cell["of"], {}).setdefault(cell["method"], []).append(cell)
    return found
