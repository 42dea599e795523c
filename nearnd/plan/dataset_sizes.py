"""How many images a dataset has, before it is decoded: for `snakemake estimate`.

From resources/images.csv, or counted where the set was decoded already.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from nearnd import config as settings
from nearnd import plugins
from nearnd.files.paths import path

RESOURCES = Path(__file__).parents[2] / "resources"
UNKNOWN = 1000  # images of each split of a set of which nothing is known


class Size(NamedTuple):
    """A dataset: images of both splits, side, channels; whether the numbers are known."""

    train: int
    test: int
    side: int
    channels: int
    known: bool


def options(config: dict[str, Any], section: str, name: str) -> dict[str, Any]:
    """An entry over the defaults of its kind."""
    entry = config[section][name]
    return plugins.defaults(settings.STAGE.get(section, section), entry["kind"]) | entry


class Counts:
    """The image sets of one config."""

    def __init__(self, config: dict[str, Any]):
        self.config = config
        self.guessed: set[str] = set()  # sets whose number of images is not known
        self.size, self.classes = cache(self.size), cache(self.classes)

    def size(self, dataset: str) -> Size:
        """What is known of a dataset, and a guess of the rest."""
        o = options(self.config, "datasets", dataset)
        counts = [_rows(dataset, split) for split in ("train", "test")]
        row = _table().get((o["kind"], o.get("category", "")))
        known, channels = row is not None, int(row["channels"]) if row else 3
        if o.get("mode"):
            channels = {"L": 1, "RGB": 3}[o["mode"]]
        if "of" in o:
            clean = self.size(o["of"])
            side, channels = o.get("size", clean.side), clean.channels
            train, test = 0, int(row["test"]) if row else clean.test * _slices(o)
            known = known or clean.known
        else:
            train, test = (int(row[k]) if row else UNKNOWN for k in ("train", "test"))
            test = o.get("n", test) if o["kind"] == "noise" else test
            side = o.get("size", 8)
        if "only" in o:
            every = {k: v for k, v in self.config["datasets"][dataset].items() if k != "only"}
            share = len(o["only"]) / len(settings.classes({"datasets": {"x": every}}, "x"))
            train, test = round(train * share), round(test * share)
        if "most" in o:
            train = min(train, o["most"] * self.classes(dataset))
        if None not in counts:
            (train, test), known = counts, True
        if not known:
            self.guessed.add(dataset)
        return Size(train, test, side, channels, known)

    def classes(self, dataset: str) -> int:
        """How many classes have training images."""
        entry = settings.arguments(self.config, "datasets", dataset)
        trained = plugins.call("datasets", entry, "trained")
        return len(trained or settings.classes(self.config, dataset))

    def normal(self, dataset: str, normal: str) -> float:
        """Training images of a normal: the mean over classes."""
        n, k = self.size(dataset).train, self.classes(dataset)
        share = {"all": 1.0, "any": 1.0}.get(normal, (k - 1) / k if normal[:4] == "not-" else 1 / k)
        return n * share


@cache
def _table() -> dict[tuple[str, str], dict[str, str]]:
    with open(RESOURCES / "images.csv", newline="", encoding="utf-8") as file:
        return {(row["kind"], row["category"]): row for row in csv.DictReader(file)}


def _rows(dataset: str, split: str) -> int | None:
    """Images that were decoded, None if they were not."""
    file = Path(path("images", dataset=dataset, split=split)).with_suffix(".csv")
    return sum(1 for _ in file.open("rb")) - 1 if file.is_file() else None


def _slices(o: dict[str, Any]) -> int:
    """Corruptions times severities of a changed copy (19 or 22, and 5, where it does not say)."""
    every = 22 if o["kind"] == "corrupted" else 19
    return (len(o["corruptions"]) if o.get("corruptions") else every) * 5
