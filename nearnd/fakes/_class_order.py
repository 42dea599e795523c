"""An array of images that stand one class after the other, as FITYMI's authors released them."""

from pathlib import Path

import numpy as np

from nearnd.files.arrays import load_array


def class_rows(
    file: str | Path, per_class: int, classes: dict[str, bool], channels: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """The array uint8 (K per_class, H, W, C), memory-mapped, and the rows of the chosen classes.

    classes  {name: chosen} in the array's order; there must be K of them
    channels  of the dataset's images; None if they are not known yet
    Block i is rows i per_class ... (i + 1) per_class - 1. Source: the loader of FITYMI's code.
    ValueError if type, channels or number of images are others.
    """
    array = load_array(file, ndim=4, dtype="uint8")
    if channels is not None and array.shape[3] != channels:
        raise ValueError(
            f"{file} holds {array.shape}, the dataset's images have {channels} channels in the last"
            f" axis; it must be (N, H, W, {channels})"
        )
    if len(array) != per_class * len(classes):
        raise ValueError(
            f"{file} holds {len(array)} images, with per_class {per_class} and the"
            f" {len(classes)} classes of the dataset it must be {per_class * len(classes)};"
            " change `file` or `per_class`"
        )
    chosen = np.flatnonzero(list(classes.values()))
    rows = chosen[:, None] * per_class + np.arange(per_class)  # (chosen, per_class)
    return array, rows.ravel()
