"""What each rule reads, from its wildcards: {name of an input: path or paths}."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from nearnd import plugins
from nearnd.files.image_folders import is_text, pictures
from nearnd.files.paths import path
from nearnd.plan import archives
from nearnd.plan.run import Run
from nearnd.tasks import TestSet


def images(run: Run, w) -> dict[str, Any]:
    """The archives, the clean test images of a changed copy, the fakes that a set consists of. The
    user's own pictures are told by `stamp`: a folder's time changes with every file in it, also one
    that nobody reads."""
    spec = run.config["datasets"][w.dataset]
    copied = "of" in run.literal("datasets", w.dataset, "NEEDS", [])
    return {
        "archives": list(archives.records(run.config, w.dataset).values()),
        "drawn": list(run.drawn(w.dataset).values()),
        "clean": [run.pixels(spec["of"], "test")] if copied else [],
    }


def backbone(run: Run, w) -> dict[str, Any]:
    """The training images, of one that is pretrained here."""
    dataset = run.config["backbones"][w.backbone].get("dataset")
    files = {"pixels": run.pixels(dataset, "train")} if dataset else {}
    return files | {"outside": outside(run, "backbones", w.backbone)}


def generator(run: Run, w) -> dict[str, Any]:
    """The training images, and the detector in whose features it is watched."""
    watcher = run.monitor(w.generator)["detector"]
    return {
        "pixels": run.pixels(w.dataset, "train"),
        "watcher": run.detector(w.dataset, w.normal, watcher, w.seed),
        "outside": outside(run, "generators", w.generator),
    }


def sampler(run: Run, w) -> dict[str, Any]:
    """The snapshots of the generator that the samplers of an experiment draw from."""
    spec = run.config["experiments"][w.experiment]
    task = {"dataset": spec["dataset"], "normal": w.normal, "seed": w.seed}
    return {
        "pixels": run.pixels(spec["dataset"], "train"),
        "snapshots": path("generator", **task, generator=spec["samplers"]["generator"])
        + "/snapshots",
        "watcher": run.detector(**task, detector=run.watcher(w.experiment)),
    }


def fakes(run: Run, w) -> dict[str, Any]:
    """The normal images; the snapshots, the other dataset's images or the files they come from."""
    spec = run.config["fakes"][w.fakes]
    files: dict[str, Any] = {"pixels": run.pixels(w.dataset, "train")}
    if "generator" in spec:
        task = {"dataset": w.dataset, "normal": w.normal, "seed": w.seed}
        place = path("generator", **task, generator=spec["generator"])
        files |= {"snapshots": f"{place}/snapshots", "fidelity": f"{place}/fidelity.csv"}
    if "dataset" in spec:
        files["others"] = run.pixels(spec["dataset"], "train")
    files["outside"] = outside(run, "fakes", w.fakes)
    return files


def detector(run: Run, w) -> dict[str, Any]:
    """The training images of a task, the backbone, the fakes: what the entry asks for."""
    spec, files = run.config["detectors"][w.detector], {}
    if not run.shared(w.detector):
        files["pixels"] = run.pixels(w.dataset, "train")
    for key in run.NETWORKS:
        if key in spec:
            files[key] = run.backbone(spec[key], w.seed)
    if "outliers" in spec:
        task = {"dataset": w.dataset, "normal": w.normal, "seed": w.seed}
        files["outliers"] = path("fakes", **task, fakes=spec["outliers"])
    return files | {"outside": outside(run, "detectors", w.detector)}


def features(run: Run, w) -> dict[str, Any]:
    """The dataset's own images, and the detector."""
    return {
        "train": run.pixels(w.dataset, "train"),
        "test": run.pixels(w.dataset, "test"),
        "detector": run.detector(w.dataset, w.normal, w.detector, w.seed),
    }


def features_elsewhere(run: Run, w) -> dict[str, Any]:
    """Another dataset's test images, and the detector."""
    return {
        "pixels": run.pixels(w.other, "test"),
        "detector": run.detector(w.dataset, w.normal, w.detector, w.seed),
    }


def bank(run: Run, w) -> dict[str, Any]:
    """The features of the training images, and the images for their classes."""
    return {
        "pixels": run.pixels(w.dataset, "train"),
        "features": run.features(w.dataset, w.normal, w.detector, w.seed, "train"),
    }


def score(run: Run, w) -> dict[str, Any]:
    """The features of an image set, and the bank of a method that has one."""
    method = run.config["methods"][w.method]
    task = {"dataset": w.dataset, "normal": w.normal, "detector": method["detector"]}
    files = {
        "pixels": run.pixels(w.dataset, w.images),
        "queries": run.features(**task, seed=w.seed, images=w.images),
    }
    if method["bank"] != "none":
        files["bank"] = path("bank", **task, bank=method["bank"], seed=w.seed)
    return files


def closeness(run: Run, w) -> dict[str, Any]:
    """The training images of the dataset and of the anomalies' one, with their features. Of seed 0,
    whatever the run's: which class is near is a definition, and no part of the spread."""
    watcher = run.config["closeness"][w.closeness]["detector"]
    other = TestSet.parse(w.images).dataset(w.dataset)
    return {
        "pixels": run.pixels(w.dataset, "train"),
        "others": run.pixels(other, "train"),
        "features": run.features(w.dataset, "any", watcher, 0, "train"),
        "other_features": run.features(other, "any", watcher, 0, "train"),
    }


def metrics(run: Run, w) -> dict[str, Any]:
    """The scores of all runs of an experiment, in their order."""
    return {"scores": [path("scores", **each) for each in run.runs(w.experiment)]}


RULES = {
    rule.__name__: rule
    for rule in (
        images, backbone, generator, sampler, fakes, detector, features, features_elsewhere, bank,
        score, closeness, metrics,
    )
}  # fmt: skip


def folders(run: Run, section: str, name: str) -> list[str]:
    """The user's own folders behind an entry: a change of a picture in them makes its images
    again. ValueError for a name that snakemake cannot write down."""
    found = plugins.call(section, run.entry(section, name), "inputs") or []
    if odd := [os.fsencode(folder) for folder in found if not is_text(folder)]:
        raise ValueError(f"the name of the folder {odd[0]!r} is not UTF-8; rename it")
    return found


def outside(run: Run, section: str, name: str) -> list[str]:
    """What a job waits for or watches: the file, or the record that it was fetched."""
    files = run.outside(section, name).values()
    return [f"{place}.json" if archive else place for place, archive in files]


def stamp(folders: list[str]) -> str:
    """A hash of the names, sizes and times of the pictures in folders. As a param it runs a job
    again when one comes, goes or is overwritten in place."""
    found = [
        (os.fspath(file), file.stat().st_size, file.stat().st_mtime_ns)
        for folder in folders
        if os.path.isdir(folder)
        for file in pictures(Path(folder), deep=False)
        if file.is_file()
    ]
    return hashlib.sha256(json.dumps(sorted(found)).encode()).hexdigest()[:12]
