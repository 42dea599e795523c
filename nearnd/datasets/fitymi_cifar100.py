"""FITYMI's generated CIFAR-100 images, 2,500 of each coarse class, from early-stopped score SDEs.

A test set only; each image is an anomaly of the class that it imitates (_fitymi.py says more).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nearnd.datasets._cifar100_classes import COARSE

SPLITS = ["test"]
ARCHIVES = [  # no checksum is published: it is recorded at first use
    {
        "name": "cifar100_training_gen_data.npy",
        "urls": [
            "https://drive.usercontent.google.com/download?id=1-1-L4qWCTg08lBfPF9qDBMYOaHne6mR5&export=download&confirm=t"
        ],
        "hint": "By hand: https://drive.google.com/file/d/1-1-L4qWCTg08lBfPF9qDBMYOaHne6mR5,"
        " saved as cifar100_training_gen_data.npy",
        "bytes": 153_600_128,
        "about": True,  # an array of that shape, by our reckoning
    }
]
LICENCE = "none given in the authors' repository: no right to pass it on"
IMAGES = {"train": 50_000, "test": 0, "channels": 3}


@dataclass(frozen=True)
class FitymiCifar100:
    """Dataset (contracts.py)."""

    def read(self, archives: dict[str, Path]) -> tuple[dict[str, object], list[str]]:
        from nearnd.datasets._fitymi import blocks

        return blocks(archives[ARCHIVES[0]["name"]], len(COARSE)), COARSE


def build() -> FitymiCifar100:
    """50,000 images, uint8 (N, 32, 32, 3)."""
    return FitymiCifar100()


def classes(**rest) -> list[str]:
    """The coarse class names in label order."""
    return COARSE
