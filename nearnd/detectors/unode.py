"""UNODE from scratch: a residual network learns normal images against hard-augmented ones.

The published settings; see `_unode.py`. Scores: `unode`.
"""

from dataclasses import dataclass

from nearnd.detectors._contrastive import FromScratch, work_of
from nearnd.detectors._unode import Hardened, judged_of
from nearnd.files.header import record

NEEDS = []
VALUES_NEED = {"hard": {"outliers": "outliers", "mixup_outliers": "outliers"}}
EMBEDS = ["features", "projections", "hard_logits"]
RANGES = {
    "ensemble": (1, 10_000), "scale": (0.001, 1), "share": (0.001, 1), "most": (1, 100),
    "looked_at": (4, 1_000_000),
}  # fmt: skip


def work(about, *, depth, width, stem, epochs, batch, ensemble, hard, looked_at, **rest) -> dict:
    """See contracts.py."""
    views = 4 if hard else 2
    how = {"depth": depth, "width": width, "stem": stem, "views": views, "looks": 1 + ensemble}
    judged = judged_of(about, hard, looked_at)
    return work_of(about, **how, epochs=epochs, batch=batch) | judged


@dataclass
class Unode(Hardened, FromScratch):
    """See `Hardened`."""

    FACTS = record(**Hardened.FACTS["properties"] | FromScratch.FACTS["properties"])


build = Unode
