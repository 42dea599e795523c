"""Gathers what a table or a figure reads (see contracts.Drawing) from the files of the stages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nearnd.arrays import load_array
from nearnd.normal import is_normal
from nearnd.tables import load_images, load_table

PUBLISHED = Path(__file__).parents[1] / "resources" / "published"


def collect(about: dict[str, Any]) -> dict[str, Any]:
    """The data of one drawing.

    about  "sources" {name: [{"file": path or {name: path}, column: value}]}, "methods" {name:
           facts}
    """
    methods = about["methods"]
    data = {"labels": {name: facts["label"] for name, facts in methods.items()}}
    data["closeness"] = None  # not every experiment has it
    data["published"] = pd.concat(
        [load_table(file, "table", "row", "column", "value") for file in PUBLISHED.glob("*.csv")]
    )
    for name, sources in about["sources"].items():
        if name == "samples":
            data[name] = [_sample(source) for source in sources]
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
    sample["real"] = real.pixels[np.flatnonzero(is_normal(classes, normal))[:64]]
    images, names = load_images(files["anomalies"])
    anomalous = ~is_normal(names, normal)
    sample["anomalies"] = {
        str(name): images.pixels[np.flatnonzero(names == name)[:64]]
        for name in dict.fromkeys(names[anomalous])
    }
    if "closeness" in files:
        close = load_table(files["closeness"], "normal", "anomaly", "closeness")
        close = close[close["normal"] == normal]
        sample["near"] = close.loc[close["closeness"].idxmax(), "anomaly"]
    if "fakes" in files:
        sample["fakes"] = load_array(files["fakes"], ndim=4, dtype="uint8")[:64]
        sample["previews"] = load_array(files["previews"], ndim=5, dtype="uint8")
        sample["steps"] = load_table(files["fidelity"], "step")["step"].to_numpy()
    return sample
