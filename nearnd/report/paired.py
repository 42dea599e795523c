"""The scores that all methods gave the same images, side by side: what tests of one method against
another are made of. Collected where all score tables are read anyway, one small file for each
experiment.
"""

import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from nearnd.files.arrays import load_tensors, save_tensors

ANOMALY, NORMAL, ELSEWHERE = 1, 0, -1  # of an image in a task
ARRAYS = ["scores", "group", "classes"]


class Paired(NamedTuple):
    """One test set of one dataset. The images are those of the test set, and behind them, where all
    of these are anomalies, those of the dataset's own test split, whose normal ones stand in."""

    dataset: str
    test: str
    methods: list[str]
    normals: list[str]
    seeds: list[int]
    images: str  # a digest of their ids
    names: list[str]  # of the classes
    scores: np.ndarray  # float32 (M, C, S, N): method, normal, seed, image; as they were stored
    group: np.ndarray  # int8 (C, N): ANOMALY, NORMAL, or ELSEWHERE, in no part of that task
    classes: np.ndarray  # int32 (N,), index into names

    def methods_at(self, rows: list[int], methods: list[str]) -> "Paired":
        """With these rows alone, called so."""
        return self._replace(methods=methods, scores=self.scores[rows])


def collect(
    runs: list[dict], scores: list[pd.DataFrame], copies: Collection[str] = ()
) -> list[Paired]:
    """One for each test set but changed copies, whose slices are never pooled.

    runs: dicts with dataset, normal, method, images, seed, all combinations; scores[i]: the table
    of runs[i]. ValueError if two tables of a test set are not of the same images.
    """
    keys = ("dataset", "normal", "method", "images", "seed")
    tables = {tuple(r[k] for k in keys): t for r, t in zip(runs, scores, strict=True)}
    sets = dict.fromkeys((r["dataset"], r["images"]) for r in runs if r["images"] not in copies)
    return [_one(dataset, test, runs, tables) for dataset, test in sets]


def _one(dataset: str, test: str, runs: list[dict], tables: dict) -> Paired:
    there = [r for r in runs if (r["dataset"], r["images"]) == (dataset, test)]
    normals, methods, seeds = (
        list(dict.fromkeys(r[k] for r in there)) for k in ("normal", "method", "seed")
    )

    def of(normal, method, images, seed) -> pd.DataFrame:
        return tables[dataset, normal, method, images, seed]

    first = [of(normal, methods[0], test, seeds[0]) for normal in normals]
    borrows = [bool(table["is_anomaly"].all()) for table in first]
    parts = [test, "test"] if any(borrows) else [test]
    images = [of(normals[0], methods[0], part, seeds[0]) for part in parts]
    ids = np.concatenate([table["id"].to_numpy(str) for table in images])
    group = np.full((len(normals), len(ids)), ELSEWHERE, np.int8)
    found = np.empty((len(methods), len(normals), len(seeds), len(ids)), np.float32)
    for c, normal in enumerate(normals):
        group[c, : len(images[0])] = first[c]["is_anomaly"]  # ANOMALY or NORMAL
        if borrows[c]:
            own = of(normal, methods[0], "test", seeds[0])["is_anomaly"].to_numpy(bool)
            group[c, len(images[0]) :][~own] = NORMAL
        for m, method in enumerate(methods):
            for s, seed in enumerate(seeds):
                rows = pd.concat([of(normal, method, part, seed) for part in parts])
                if not np.array_equal(rows["id"].to_numpy(str), ids):
                    raise ValueError(
                        f"{dataset}/{normal}/{method}/{test}/seed{seed}: the scores are not of the"
                        f" same images as those of {methods[0]}; delete them and run again"
                    )
                found[m, c, s] = rows["score"]
    classes, names = pd.factorize(np.concatenate([table["class"].astype(str) for table in images]))
    digest = hashlib.sha256("\n".join(ids).encode()).hexdigest()
    return Paired(dataset, test, methods, normals, seeds, digest, [str(name) for name in names],
                  found, group, classes.astype(np.int32))  # fmt: skip


def save(path: str | Path, sets: list[Paired]) -> None:
    """Writes a safetensors file."""
    arrays = {f"{i}.{a}": getattr(each, a) for i, each in enumerate(sets) for a in ARRAYS}
    facts = [{k: v for k, v in each._asdict().items() if k not in ARRAYS} for each in sets]
    save_tensors(path, arrays, sets=facts)


def load(path: str | Path) -> list[Paired]:
    """The inverse of save."""
    arrays, facts = load_tensors(path)
    found = enumerate(facts["sets"])
    return [Paired(**each, **{a: arrays[f"{i}.{a}"] for a in ARRAYS}) for i, each in found]


def united(sets: list[Paired]) -> list[Paired]:
    """What experiments have of one test set as one, methods after methods, each once: where they
    scored the same images in the same tasks with the same seeds."""
    found: dict[tuple, Paired] = {}
    for each in sets:
        key = (each.dataset, each.test, each.images, *each.normals, *each.seeds)
        if key in found:
            more = [i for i, m in enumerate(each.methods) if m not in found[key].methods]
            methods = [*found[key].methods, *(each.methods[i] for i in more)]
            scores = np.concatenate([found[key].scores, each.scores[more]])
            found[key] = found[key]._replace(methods=methods, scores=scores)
        else:
            found[key] = each
    return list(found.values())
