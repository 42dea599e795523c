"""The best of several methods for a folder of normal images, by drawn defects (docs/SELECT.md)."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from nearnd import catalog
from nearnd.files.arrays import load_array
from nearnd.files.paths import path
from nearnd.files.tables import load_names
from nearnd.plan.fit import OWN, Trained, train
from nearnd.plan.start import BASE
from nearnd.report.model_folder import read
from nearnd.report.new_images import opened
from nearnd.report.selfcheck import aurocs, best, scored, some
from nearnd.tasks import Normal

CANDIDATES = "own_select"  # the experiment of config/own.yaml that names them


def candidates() -> list[str]:
    """The methods that are compared, the simplest and cheapest first."""
    return catalog.load(BASE / "config" / "own.yaml")["experiments"][CANDIDATES]["methods"]


def select(
    images: Path,
    model: Path,
    methods: list[str] | None = None,
    say: Callable[[str], None] = lambda words: None,
    **how,
) -> tuple[pd.DataFrame, str, str]:
    """Fills the folder `model` with the best method; a row for each method, the name of the best,
    and words about the model. say: what is told that a method is being checked; how: as of `train`.
    """
    methods = methods or candidates()
    trained = train(images, model, methods, **how)
    pixels = held_out(trained)
    found = {}
    for method in methods:
        say(f"{method}: defects are drawn and scored")
        at = trained.work / "candidates" / method
        trained.export(method, at)
        facts = read(at)
        found[method] = aurocs(facts["held_out"], scored(opened(at, facts).scores, pixels))
    chosen = best(found)
    table = pd.DataFrame(found).T
    table.insert(0, "mean", table.mean(axis=1))
    return table, chosen, trained.export(chosen, model)


def held_out(trained: Trained) -> np.ndarray:
    """uint8 (n, H, W, C): held-out normal images on which defects are drawn. Of no anomaly more
    than its class is read."""
    file = trained.work / path("images", dataset=OWN, split="test")
    rows = np.flatnonzero(Normal.parse(trained.normal).of(load_names(file)["class"]))
    return np.asarray(load_array(file, ndim=4)[rows[some(len(rows))]])
