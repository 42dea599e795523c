"""A trained method in a folder of its own, to score new images with: no config, no workflow.

model.json            entries of detector and score, image size, where it comes from, and the
                      scores of held-out normal images, which say what is unusual
detector.safetensors  the trained detector
bank.safetensors      the normal images' features, if the method has a bank
"""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nearnd import plugins
from nearnd.contracts import score_of
from nearnd.files.arrays import load_rows

MODEL, DETECTOR, BANK = "model.json", "detector.safetensors", "bank.safetensors"


def score_images(folder: Path, sources: list[tuple[str, Any]], quantile: float) -> pd.DataFrame:
    """A row for each image: id, score, share, anomalous.

    `sources` are (name, file) as for `decode`. share: the part of held-out normal images that score
    at least as high, the image itself counted among them, in (0, 1]; small is unusual. anomalous:
    score above the `quantile` of the held-out normal images (see `threshold`).
    """
    from nearnd.files.decode import decode

    if not (folder / MODEL).exists():
        raise ValueError(f"{folder} has no {MODEL}: make it with `nearnd export`")
    facts = json.loads((folder / MODEL).read_text())
    pixels = decode(sources, facts["size"], facts["mode"])  # (N, H, W, C)
    detector = plugins.build("detectors", facts["detector"])
    detector.load(folder / DETECTOR)
    bank = load_rows(folder / BANK) if (folder / BANK).exists() else {}
    score = plugins.build("scores", facts["score"])
    values = score_of(score(bank, detector.embed(pixels)))  # (N,)
    held_out = np.array(facts["held_out"])
    above = len(held_out) - np.searchsorted(held_out, values)  # of the held-out, at least as high
    return pd.DataFrame({
        "id": [name for name, _ in sources],
        "score": values,
        "share": (1 + above) / (1 + len(held_out)),
        "anomalous": values > threshold(held_out, quantile),
    })  # fmt: skip


def threshold(held_out: np.ndarray, quantile: float) -> float:
    """The score that a new normal image exceeds with probability at most 1 - quantile.

    The ceil((n + 1) quantile)-th smallest of n exchangeable scores (split conformal prediction);
    infinity if n is too small for such a promise.
    """
    if not 0 < quantile < 1:
        raise ValueError(f"quantile is {quantile}; it may be a number between 0 and 1")
    rank = math.ceil((len(held_out) + 1) * quantile - 1e-9)
    return float(np.sort(held_out)[rank - 1]) if rank <= len(held_out) else math.inf
