"""A piece of a normal image, put down somewhere else on it (nearnd/jobs/cutpaste.py)."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from nearnd.fakes._normals import each
from nearnd.jobs.cutpaste import JITTER, cutpasted

NEEDS = []


@dataclass
class CutPaste:
    """Fakes (contracts.py), one of each normal image in turn.

    shape: "patch", "scar", or "both", each half of the time (one class here; the paper's "3-way"
    has one for each).
    jitter: largest change of brightness, contrast and saturation; nothing changes the hue.
    """

    shape: Literal["patch", "scar", "both"] = "both"
    jitter: float = JITTER

    def draw(self, n: int, *, seed: int, normal: np.ndarray) -> tuple[np.ndarray, dict]:
        """n fakes uint8 (n, H, W, C) of the normal images (N, H, W, C)."""
        one = partial(cutpasted, shape=self.shape, jitter=self.jitter)
        return each(n, seed, normal, one), {"shape": self.shape}


build = CutPaste
