"""Gathers what a table or a figure reads (see contracts.Drawing) from the files of the stages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nearnd.files.arrays import load_array, load_facts, load_tensors
from nearnd.files.decode import resize
from nearnd.files.tables import load_images, load_table
from nearnd.jobs.duplicates import repeats
from nearnd.tasks import is_normal

PUBLISHED = Path(__file__).parents[2] / "resources" / "published"
SHOWN, THUMBNAIL = 12, 96  # images of a class in a contact sheet, and their side


def collect(about: dict[str, Any]) -> dict[str, Any]:
    """The data of one drawing.

    about  "sources" {name: [{"file": path or {name: path}, column: value}]}, "methods" {name:
           facts}, "copies": test sets that are changed copies
    """
    methods = about["methods"]
    data = {"labels": {name: facts["label"] for name, facts in methods.items()}}
    data["copies"] = list(about.get("copies", []))
    data["closeness"] = None  # not every experiment has it
    data["published"] = pd.concat(
        [load_table(file, "table", "row", "column", "value") for file in PUBLISHED.glob("*.csv")]
    )
    for name, sources in about["sources"].items():
        if name == "samples":
            data[name] = [_sample(source) for source in sources]
        elif name == "images":
            data[name] = [_sheet(source) for source in sources]
        elif name == "maps":
            data[name] = [_maps(source) for source in sources]
        elif name == "overlap":
            data[name] = pd.DataFrame([_overlap(source) for source in sources])
        else:
            data[name] = pd.concat([_table(source) for source in sources], ignore_index=True)
    return data


def load_closeness(dataset: str, files: dict[str, str]) -> pd.DataFrame | None:
    """dataset, test, normal, anomaly, closeness from {test set: path}; None if there are none."""
    sources = [{"dataset": dataset, "test": test, "file": file} for test, file in files.items()]
    return pd.concat([_table(s) for s in sources], ignore_index=True) if sources else None


def _table(source: dict[str, Any]) -> pd.DataFrame:
    """A table with the facts about its file as first columns."""
    facts = {"test" if key == "images" else key: v for key, v in source.items() if key != "file"}
    table = load_table(source["file"])
    return pd.concat([pd.DataFrame(facts, index=table.index), table], axis=1)


def _sample(source: dict[str, Any]) -> dict[str, Any]:
    """Images to look at, of one task."""
    files, normal = source["file"], source["normal"]
    sample = {key: value for key, value in source.items() if key != "file"}
    real, classes = load_images(files["real"])
    shown = 64 if real.pixels.shape[1] <= 64 else 16  # of large images few fill a figure
    sample["real"] = real.pixels[np.flatnonzero(is_normal(classes, normal))[:shown]]
    images, names = load_images(files["anomalies"])
    anomalous = ~is_normal(names, normal)
    sample["anomalies"] = {
        str(name): images.pixels[np.flatnonzero(names == name)[:shown]]
        for name in dict.fromkeys(names[anomalous])
    }
    if "closeness" in files:
        close = load_table(files["closeness"], "normal", "anomaly", "closeness")
        close = close[close["normal"] == normal]
        if len(close):  # not for all but one, nor for all
            sample["near"] = close.loc[close["closeness"].idxmax(), "anomaly"]
    sample["fakes"] = {
        key.removeprefix("fakes "): load_array(file, ndim=4, dtype="uint8")[:shown]
        for key, file in files.items()
        if key.startswith("fakes ")
    }
    if "previews" in files:
        sample["previews"] = load_array(files["previews"], ndim=5, dtype="uint8")
        sample["steps"] = load_table(files["fidelity"], "step")["step"].to_numpy()
    return sample


def _maps(source: dict[str, Any]) -> dict[str, Any]:
    """The test images of a task with the anomaly maps of a method's detector."""
    files = source["file"]
    images, classes = load_images(files["images"])
    return {key: value for key, value in source.items() if key != "file"} | {
        "pixels": images.pixels,
        "masks": images.masks,
        "class": classes,
        "is_anomaly": ~is_normal(classes, source["normal"]),
        "map": load_tensors(files["maps"])[0]["map"],
        "share": load_facts(files["detector"]).get("map_share", 1.0),
    }


def _overlap(source: dict[str, Any]) -> dict[str, Any]:
    """How many images of a test set are among the fakes that a method was trained on."""
    facts = {key: value for key, value in source.items() if key not in ("file", "images")}
    fakes = load_array(source["file"]["fakes"], ndim=4, dtype="uint8")
    images = load_array(source["file"]["images"], ndim=4, dtype="uint8")
    return facts | {"test": source["images"], "n": len(images), "in_fakes": _shared(fakes, images)}


def _shared(fakes: np.ndarray, images: np.ndarray) -> int:
    return len(repeats(fakes, images)) if fakes.shape[1:] == images.shape[1:] else 0


def _sheet(source: dict[str, Any]) -> dict[str, Any]:
    """Some images of each class of an image set, small and evenly picked along its order."""
    images, names = load_images(source["file"])
    classes = {}
    for name in sorted(set(names), key=lambda name: images.labels[names == name][0]):
        there = np.flatnonzero(names == name)
        rows = there[np.linspace(0, len(there) - 1, min(SHOWN, len(there))).astype(int)]
        some = images.rows(rows)
        side = min(THUMBNAIL, some.pixels.shape[1])
        step = max(1, some.pixels.shape[1] // side)
        classes[str(name)] = {
            "n": len(there),
            "pixels": resize(np.asarray(some.pixels), side),
            "masks": None if some.masks is None else some.masks[:, ::step, ::step],
        }
    return {"dataset": source["dataset"], "images": source["images"], "classes": classes}
