"""CIFAR-10-C: CIFAR-10's test images under 19 corruptions at five severities. A test set only.

Every image is embedded and scored once. Its id is "fog/3/test/00017" (corruption, severity, id of
the clean image), so that a table takes the rows of one corruption or severity by the id's prefix,
and pairs an image with its clean original by what is left.
"""

from collections.abc import Sequence

from nearnd.datasets._cifar_c import corrupted, number
from nearnd.datasets._reader import reader
from nearnd.datasets._split import SEVERITIES

CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
SPLITS = ["test"]
ARCHIVES = {
    "CIFAR-10-C.tar": {
        "urls": [
            "https://zenodo.org/record/2535967/files/CIFAR-10-C.tar",
            "https://zenodo.org/records/2535967/files/CIFAR-10-C.tar?download=1",
        ],
        "sha256": "c72763e101c723b7c507b96205f7e938912a5d587376173b825850cf3cb876a7",
        "bytes": 2_918_471_680,
    }
}
LICENCE = "CC BY 4.0 (as shown on copies)"


def count(of, **entry) -> dict[str, int]:
    """See contracts.py."""
    return number(**entry)


@reader
def build(
    archives,
    /,
    corruptions: Sequence[str] | None = None,
    severities: Sequence[int] = tuple(SEVERITIES),
):
    """10,000 images for each corruption (None: all 19) and severity, uint8 (N, 32, 32, 3)."""
    return corrupted(archives, "cifar10_c", CLASSES, range(10), corruptions, severities)
