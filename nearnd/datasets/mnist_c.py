"""MNIST-C: MNIST's test images under 15 corruptions, one strength each. A test set only.

ids are "fog/1/test/00017": corruption, 1 (there is one severity), id of the clean image; slices as
in CIFAR-10-C (cifar10_c.py). The archive's uncorrupted images are MNIST's own test split, and its
training images, corrupted as well, are not used: detectors train on clean ones.
"""

from collections.abc import Sequence

import numpy as np

from nearnd.contracts import Images, Mode
from nearnd.datasets._labelled import labelled
from nearnd.datasets._members import array, named
from nearnd.datasets._reader import reader

CLASSES = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
SPLITS = ["test"]
ARCHIVES = {
    "mnist_c.zip": {
        "urls": [
            "https://zenodo.org/record/3239543/files/mnist_c.zip",
            "https://zenodo.org/records/3239543/files/mnist_c.zip?download=1",
        ],
        "sha256": "af9ee8c6a815870c7fdde5af84c7bf8db0bcfa1f41056db83871037fba70e493",
        "bytes": 246_661_575,
    }
}
LICENCE = "see https://zenodo.org/records/3239543 (code: Apache-2.0)"
IMAGES = {"train": 0, "test": 150_000, "channels": 1}  # 15 corruptions
CORRUPTIONS = [
    "shot_noise", "impulse_noise", "glass_blur", "motion_blur", "shear", "scale", "rotate",
    "brightness", "translate", "stripe", "fog", "spatter", "dotted_line", "zigzag", "canny_edges",
]  # fmt: skip
MOST = 60_000_000  # bytes of any file in the zip; 60,000 images have 47,040,128


@reader
def build(archives, /, corruptions: Sequence[str] | None = None, size: int = 28, mode: Mode = "L"):
    """10,000 images for each corruption (None: all 15), uint8 (N, size, size, 1 or 3).

    `size` and `mode` as in `mnist`, the clean set.
    """
    chosen = CORRUPTIONS if corruptions is None else list(corruptions)
    if not chosen or not set(chosen) <= set(CORRUPTIONS):
        raise ValueError(f"mnist_c: corruptions is {chosen}, it must be some of {CORRUPTIONS}")
    (archive,) = archives.values()
    forms = {
        "images": ((None, 28, 28, 1), ["uint8"]),
        "labels": ((None,), ["uint8", "int32", "int64"]),
    }
    names = {
        f"mnist_c/{name}/test_{what}.npy": form for name in chosen for what, form in forms.items()
    }
    arrays = {
        name: array(content, f"{archive}: {name}", *names[name])
        for name, content in named(archive, names, MOST)
    }
    parts = []
    for name in chosen:
        pixels, labels = (arrays.pop(f"mnist_c/{name}/test_{what}.npy") for what in forms)
        source = f"{archive}: {name}"
        images = labelled(pixels, labels, "test", CLASSES, source, size, mode)
        parts.append((images.pixels, images.labels, np.char.add(f"{name}/1/", images.ids)))
    test = Images(*(np.concatenate(fields) for fields in zip(*parts, strict=True)))
    return {"train": test.rows(slice(0)), "test": test}, CLASSES
