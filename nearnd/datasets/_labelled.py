"""Arrays of pixels and labels, as files have them, to the Images of a split."""

from pathlib import Path

import numpy as np

from nearnd.contracts import Images, Mode
from nearnd.files.arrays import release, scratch
from nearnd.files.decode import resize

CHUNK = 4096  # images that are resized at a time


def labelled(
    pixels: np.ndarray,
    labels: np.ndarray,
    split: str,
    classes: list[str],
    source: Path | str,
    size: int,
    mode: Mode = "RGB",
) -> Images:
    """Images of uint8 (N, size, size, C) from uint8 (N, H, W) or (N, H, W, C) and integers (N,).

    Grey becomes three equal channels if `mode` is "RGB". ids are "test/00017": the split and the
    position in the source. ValueError naming `source` if the labels do not fit.
    """
    if labels.shape != pixels.shape[:1]:
        raise ValueError(
            f"{source} has {len(pixels)} images of the {split} split and labels"
            f" {labels.shape}: one of its files is of another dataset or cut off"
        )
    labels = labels.astype(np.int64)
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(classes):
        raise ValueError(
            f"{source} has labels {labels.min()} to {labels.max()} in the {split} split, expected"
            f" 0 to {len(classes) - 1} ({classes[0]} to {classes[-1]})"
        )
    ids = np.array([f"{split}/{i:05d}" for i in range(len(pixels))])
    return Images(_sized(pixels, size, 3 if mode == "RGB" else 1), labels, ids)


def _sized(pixels: np.ndarray, size: int, channels: int) -> np.ndarray:
    if pixels.ndim == 3:
        pixels = pixels[..., None]  # (N, H, W, 1)
    if pixels.shape[1:] == (size, size, channels):
        return pixels
    out = scratch((len(pixels), size, size, channels))
    for start in range(0, len(pixels), CHUNK):
        rows = slice(start, start + CHUNK)
        out[rows] = resize(np.ascontiguousarray(pixels[rows]), size)  # grey fills all channels
        release(out)
    return out
