"""MATLAB files: plain numbers and words, no objects."""

from __future__ import annotations

from io import BytesIO

import numpy as np


def read_mat(source, *names: str) -> list[np.ndarray]:
    """The variables `names` of a .mat file (a Path, or a file in an archive), as rows (N,).

    ValueError naming the file if it is damaged or lacks one.
    """
    from scipy.io import loadmat

    try:
        found = loadmat(BytesIO(source.read_bytes()), squeeze_me=True)
    except Exception as error:  # damaged files raise errors of many types
        raise ValueError(f"{source} is not a readable .mat file: {error}") from error
    missing = [name for name in names if name not in found]
    if missing:
        there = [name for name in found if not name.startswith("__")]
        raise ValueError(f"{source} has no {', '.join(missing)}; it has {', '.join(there)}")
    return [np.atleast_1d(found[name]) for name in names]
