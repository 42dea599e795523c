"""The archives of CIFAR-10-C and CIFAR-100-C: one array for each corruption, five severities each.

Rows (s - 1) n ... s n - 1 of an array are the n test images of the clean set, in its order, at
severity s; labels.npy repeats the labels five times. The released code of UNODE takes the first
10,000 rows, so only severity 1, and multiplies bytes by 255, which is close to inverting them:
numbers made with it are of another task. Source: https://zenodo.org/records/2535967
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nearnd.contracts import Images
from nearnd.datasets._members import array, named
from nearnd.datasets._split import SEVERITIES, chosen
from nearnd.files.arrays import release, scratch

CORRUPTIONS = [
    "brightness", "contrast", "defocus_blur", "elastic_transform", "fog", "frost", "gaussian_blur",
    "gaussian_noise", "glass_blur", "impulse_noise", "jpeg_compression", "motion_blur", "pixelate",
    "saturate", "shot_noise", "snow", "spatter", "speckle_noise", "zoom_blur",
]  # fmt: skip
MOST = 160_000_000  # bytes of any file in the archive; 50,000 images have 153,600,128


def number(corruptions: Sequence[str] | None, severities: Sequence[int] = SEVERITIES) -> dict:
    """`count` of contracts.py."""
    names = CORRUPTIONS if corruptions is None else corruptions
    return {"train": 0, "test": 10_000 * len(names) * len(severities), "channels": 3}


def corrupted(
    archives: dict[str, Path],
    kind: str,
    classes: list[str],
    label_of: Sequence[int],
    corruptions: Sequence[str] | None,
    severities: Sequence[int],
) -> tuple[dict[str, Images], list[str]]:
    """All chosen corruptions (None: all) at all chosen severities, uint8 (N, 32, 32, 3).

    `label_of` are the labels of those in the file. ids are "fog/3/test/00017": corruption,
    severity, id of the clean image. ValueError for a corruption or severity that is not there.
    """
    names = chosen(kind, CORRUPTIONS, corruptions, severities)
    (archive,) = archives.values()
    folder = archive.name.removesuffix(".tar")
    files = [f"{folder}/{name}.npy" for name in names]
    labels = np.array(label_of)[_labels(archive, f"{folder}/labels.npy", len(label_of))]
    n, m = len(labels), len(SEVERITIES)
    pixels = scratch((len(files), len(severities), n, 32, 32, 3))
    for file, content in named(archive, files, MOST):
        source = array(content, f"{archive}: {file}", (m * n, 32, 32, 3), ["uint8"])
        for column, severity in enumerate(severities):
            rows = slice((severity - 1) * n, severity * n)
            pixels[files.index(file), column] = source[rows]
        release(pixels)
    clean = [f"test/{i:05d}" for i in range(n)]
    ids = np.array([f"{name}/{s}/{i}" for name in names for s in severities for i in clean])
    repeated = np.tile(labels, len(files) * len(severities))
    test = Images(pixels.reshape(-1, 32, 32, 3), repeated, ids)
    return {"train": test.rows(slice(0)), "test": test}, classes


def _labels(archive: Path, name: str, n_classes: int) -> np.ndarray:
    """int64 (n,), the labels of one severity."""
    ((_, content),) = named(archive, [name], MOST)
    where = f"{archive}: {name}"
    labels = array(content, where, (None,), ["uint8", "int32", "int64"]).astype(np.int64)
    n = len(labels) // len(SEVERITIES)
    same = n > 0 and np.array_equal(labels, np.tile(labels[:n], len(SEVERITIES)))
    if not same or labels.min() < 0 or labels.max() >= n_classes:
        raise ValueError(f"{where} is not five times the labels 0 to {n_classes - 1} of a test set")
    return labels[:n]
