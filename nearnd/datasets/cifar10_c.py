"""CIFAR-10-C: CIFAR-10's test images under 19 corruptions at five severities. A test set only.

Every image is embedded and scored once. Its id is "fog/3/test/00017" (corruption, severity, id of
the clean image), so that a table takes the rows of one corruption or severity by the id's prefix,
and pairs an image with its clean original by what is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nearnd.contracts import Images
from nearnd.datasets._cifar_c import SEVERITIES, chosen, number, read_corrupted

# fmt: off
CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
# fmt: on
SPLITS = ["test"]
ARCHIVES = [
    {
        "name": "CIFAR-10-C.tar",
        "urls": [
            "https://zenodo.org/record/2535967/files/CIFAR-10-C.tar",
            "https://zenodo.org/records/2535967/files/CIFAR-10-C.tar?download=1",
        ],
        "sha256": "c72763e101c723b7c507b96205f7e938912a5d587376173b825850cf3cb876a7",
        "bytes": 2_918_471_680,
    }
]
LICENCE = "CC BY 4.0 (as shown on copies)"


def count(of, **entry) -> dict[str, int]:
    """See contracts.py."""
    return number(**entry)


@dataclass(frozen=True)
class Cifar10C:
    """Dataset (contracts.py)."""

    corruptions: list[str]
    severities: Sequence[int]

    def read(self, archives: dict[str, Path]) -> tuple[dict[str, Images], list[str]]:
        archive = archives[ARCHIVES[0]["name"]]
        test = read_corrupted(
            archive, "CIFAR-10-C", self.corruptions, self.severities, len(CLASSES)
        )
        return {"train": test.rows(slice(0)), "test": test}, CLASSES


def build(
    corruptions: Sequence[str] | None = None, severities: Sequence[int] = tuple(SEVERITIES)
) -> Cifar10C:
    """10,000 images for each corruption (None: all 19) and severity, uint8 (N, 32, 32, 3)."""
    return Cifar10C(chosen("cifar10_c", corruptions, severities), severities)
