"""CIFAR-100-C: CIFAR-100's test images under 19 corruptions at five severities. A test set only.

ids and slices are as in CIFAR-10-C (cifar10_c.py). The archive has fine labels; UNODE tests the
coarse classes. Eight of the rows that UNODE prints for this set (its Table 9) repeat those of
CIFAR-10-C digit for digit: its mean is no target.
"""

from collections.abc import Sequence
from typing import Literal

from nearnd.datasets._cifar100_classes import coarse_of_fine, names
from nearnd.datasets._reader import reader

SPLITS = ["test"]
ARCHIVES = {
    "CIFAR-100-C.tar": {
        "urls": [
            "https://zenodo.org/record/3555552/files/CIFAR-100-C.tar",
            "https://zenodo.org/records/3555552/files/CIFAR-100-C.tar?download=1",
        ],
        "sha256": "30ee6543a1bfd049fa33834b7c1ada301e7064b7fbe8fc38340eb8b62ced4b33",
        "bytes": 2_918_473_216,
    }
}
LICENCE = "CC BY 4.0 (as shown on copies)"


def count(of, *, labels: str, **entry) -> dict[str, int]:
    """See contracts.py."""
    from nearnd.datasets._cifar_c import number

    return number(**entry)


@reader
def build(
    archives,
    /,
    labels: Literal["coarse", "fine"] = "coarse",
    corruptions: Sequence[str] | None = None,
    severities: Sequence[int] = (1, 2, 3, 4, 5),
):
    """10,000 images for each corruption (None: all 19) and severity, uint8 (N, 32, 32, 3).

    `labels` is "coarse" (20 classes) or "fine" (100), as of the clean set it is compared with.
    """
    from nearnd.datasets._cifar_c import corrupted

    label_of = coarse_of_fine() if labels == "coarse" else range(100)
    return corrupted(archives, "cifar100_c", names(labels), label_of, corruptions, severities)


def classes(labels: Literal["coarse", "fine"] = "coarse", **rest) -> list[str]:
    """The class names in label order."""
    return names(labels)
