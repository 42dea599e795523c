"""Features of real images, computed once for all jobs that need the same ones."""

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np

from nearnd.contracts import Embedding
from nearnd.files.arrays import load_array, save_array
from nearnd.files.paths import path

FOLDER = Path(path("cached features"))  # may be deleted at any time
CHUNK = 1 << 24  # bytes hashed at a time

log = logging.getLogger("nearnd")


def features_of(
    pixels: np.ndarray,
    embed: Callable[[np.ndarray], Embedding],
    model: str | Path,
    code: str,
    folder: Path = FOLDER,
) -> np.ndarray:
    """embed(pixels)["features"], float32 (N, D), from `folder` if it is there.

    The name of the file is a hash of the images, of the detector's file `model`, and of `code`, the
    digest of the detector's code: what features depend on. Jobs may run at the same time: files
    appear by rename, and two that compute the same write the same.
    """
    key = hashlib.sha256(f"{pixels.dtype} {pixels.shape} {code}".encode())
    rows = max(1, CHUNK // max(1, pixels[:1].nbytes))
    for i in range(0, len(pixels), rows):
        key.update(np.ascontiguousarray(pixels[i : i + rows]))
    with open(model, "rb") as file:
        while chunk := file.read(CHUNK):
            key.update(chunk)
    path = folder / f"{key.hexdigest()[:24]}.npy"
    if path.exists():
        try:
            found = load_array(path, ndim=2, dtype="float32")
            if len(found) == len(pixels):
                return np.asarray(found)  # (N, D)
        except ValueError as error:
            log.warning(f"{error}; computed again")
    features = embed(pixels)["features"]  # (N, D)
    save_array(path, features)
    return features
