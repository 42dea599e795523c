"""A trained method of a run into a folder of its own (report/model_folder.py)."""

import shutil
from pathlib import Path

import numpy as np

from nearnd import config as settings
from nearnd.files.arrays import load_array, replacing, save_json
from nearnd.files.paths import path
from nearnd.files.tables import load_table
from nearnd.plan.run import Run
from nearnd.report.model_folder import BANK, DETECTOR, MODEL

FEW = 20  # held-out normal images: with fewer, one in twenty cannot be told


def export(
    run: Run, dataset: str, normal: str, method: str, seed: int, folder: Path, root: Path = Path()
) -> str:
    """Copies what the method needs into `folder`; returns words about it.

    root: where results/ lies. ValueError if a name is unknown or a part has not been made.
    """
    spec = settings.lookup(run.config, "methods", method, "export")
    settings.lookup(run.config, "datasets", dataset, "export")
    task = {"dataset": dataset, "normal": normal, "detector": spec["detector"], "seed": seed}
    files = {DETECTOR: run.detector(**task)}
    if spec["bank"] != "none":
        files[BANK] = path("bank", **task, bank=spec["bank"])
    scores = path("scores", **task, method=method, images="test")
    pixels = path("images", dataset=dataset, split="test")
    missing = [name for name in (*files.values(), scores, pixels) if not (root / name).exists()]
    if missing:
        raise ValueError(
            f"{method} on {dataset} ({normal}, seed {seed}) is not finished: there is no"
            f" {root / missing[0]}. Run it first, with the same configfile, and check the names"
        )
    table = load_table(root / scores, "is_anomaly", "score")
    held_out = np.sort(table["score"][~table["is_anomaly"].astype(bool)].to_numpy())
    if not len(held_out):
        raise ValueError(
            f"{root / scores} has no normal image, so nothing says what is unusual: the test"
            " split needs normal images"
        )
    _, size, _, channels = load_array(root / pixels, ndim=4).shape
    for name, file in files.items():
        with replacing(folder / name) as part:
            shutil.copyfile(root / file, part)
    facts = {
        "made_from": {"dataset": dataset, "normal": normal, "method": method, "seed": seed},
        "detector": settings.arguments(run.config, "detectors", spec["detector"]),
        "score": settings.arguments(run.config, "scores", spec["score"]),
        "size": size,
        "mode": "RGB" if channels == 3 else "L",
        "held_out": [float(value) for value in held_out],
    }
    save_json(folder / MODEL, facts)
    few = f"; with fewer than {FEW} the threshold is rough" if len(held_out) < FEW else ""
    return f"{folder}: {method}, {len(held_out)} held-out normal images{few}"
