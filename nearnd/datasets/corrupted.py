"""Another dataset's test images under corruptions made here: a test set only.

For the sets that UNODE made and did not publish (SVHN-C, EMNIST-Letters-C), for Fashion-MNIST-C
with the corruptions apart, and for any dataset of one's own. The severities are in _corruptions.py;
UNODE does not state its own.

Every image is embedded and scored once. Its id is "fog/3/test/00017" (corruption, severity, id of
the clean image), so that a table takes the rows of one corruption or severity by the id's prefix,
and pairs an image with its clean original by what is left.
"""

from __future__ import annotations

import csv
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nearnd.contracts import Images
from nearnd.datasets._corruptions import CORRUPTIONS, SEVERITIES, corrupt
from nearnd.files.arrays import load_array, release, scratch

NEEDS = ["of"]
SPLITS = ["test"]
LICENCE = "as the dataset that is corrupted"


def count(
    of, *, corruptions: Sequence[str] | None, severities: Sequence[int] = SEVERITIES, **rest
) -> dict[str, int]:
    """See contracts.py."""
    slices = len(CORRUPTIONS if corruptions is None else corruptions) * len(severities)
    return {"train": 0, "test": slices * of.test, "channels": of.channels}


@dataclass(frozen=True)
class Corrupted:
    """Dataset (contracts.py)."""

    corruptions: list[str]
    severities: Sequence[int]
    seed: int

    def read(self, archives: dict[str, Path]) -> tuple[dict[str, Images], list[str]]:
        clean, classes = _clean(archives["of"])
        n, rows = len(clean), [(name, s) for name in self.corruptions for s in self.severities]
        pixels = scratch((len(rows) * n, *clean.pixels.shape[1:]))  # (N, H, W, C)
        for block, (name, severity) in enumerate(rows):
            for i, image in enumerate(clean.pixels):
                rng = self._generator(name, severity, clean.ids[i])
                pixels[block * n + i] = corrupt(image, name, severity, rng)
            release(pixels)
        ids = np.array([f"{name}/{severity}/{i}" for name, severity in rows for i in clean.ids])
        test = Images(pixels, np.tile(clean.labels, len(rows)), ids)
        return {"train": test.rows(slice(0)), "test": test}, classes

    def _generator(self, name: str, severity: int, image: str) -> np.random.Generator:
        """An image's own: it does not depend on which other corruptions or images there are."""
        words = [zlib.crc32(word.encode()) for word in (name, str(image))]
        return np.random.default_rng([self.seed, severity, *words])


def _clean(pixels: Path) -> tuple[Images, list[str]]:
    """The images that the pipeline stored for the clean set, and its class names."""
    with open(pixels.with_suffix(".csv"), newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    labels = np.array([int(row["label"]) for row in rows], dtype=np.int64)
    names = {int(row["label"]): row["class"] for row in rows}
    classes = [names.get(label, "") for label in range(max(names, default=-1) + 1)]
    array = load_array(pixels, ndim=4, dtype="uint8")
    return Images(array, labels, np.array([row["id"] for row in rows])), classes


def build(
    corruptions: Sequence[str] | None = None,
    severities: Sequence[int] = tuple(SEVERITIES),
    seed: int = 0,
) -> Corrupted:
    """The test images of the dataset `of` under each corruption (None: all 22) and severity.

    uint8 (N, H, W, C) as the clean ones, N = corruptions x severities x clean images. The same
    seed gives the same bytes, whatever else is chosen.
    """
    names = list(CORRUPTIONS) if corruptions is None else list(corruptions)
    for what, given, known in (
        ("corruptions", names, list(CORRUPTIONS)),
        ("severities", list(severities), SEVERITIES),
    ):
        if not given or not set(given) <= set(known) or len(set(given)) < len(given):
            raise ValueError(f"corrupted: {what} is {given}, it must be some of {known}, each once")
    return Corrupted(names, severities, seed)
