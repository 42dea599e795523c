"""The backbone as it is: features of a network that never saw a normal image (DN2)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nearnd.contracts import Embedding, Images, Progress, silent

NEEDS = ["backbone"]
EMBEDS = ["features"]
ONE_MODEL = True


def work(about, **rest) -> dict:
    """See contracts.py."""
    return {}


class Frozen:
    """Detector (contracts.py) with nothing to train."""

    def __init__(self, resize: int | None, crop: int | None, precision: str):
        self.resize, self.crop, self.precision = resize, crop, precision
        self.backbone = None

    def fit(
        self, normal: Images | None, *, outliers: np.ndarray | None = None,
        backbone: Path | None = None, seed: int = 0, folder: Path | None = None,
        progress: Progress = silent,
    ) -> None:  # fmt: skip
        """Loads the backbone."""
        from nearnd.detectors._vit import as_path, view_of

        self._open(as_path(backbone, "frozen"))
        self.how = view_of(self.facts, self.resize, self.crop)

    def embed(self, pixels: np.ndarray, progress: Progress = silent) -> Embedding:
        """{"features": float32 (N, D)}: a ViT's class token after the last norm, in evaluation
        mode with the centre crop."""
        from nearnd.detectors._vit import embed, fitted

        model = fitted(self.backbone, "embed")
        return {"features": embed(model, pixels, self.how, self.precision, progress)}

    def save(self, path: Path) -> None:
        from nearnd.detectors._vit import fitted
        from nearnd.networks.backbone import save_backbone

        facts = self.facts | {"detector": "frozen", "view": list(self.how)}
        save_backbone(path, fitted(self.backbone, "save"), facts)

    def load(self, path: Path) -> None:
        from nearnd.networks.transform import View

        self._open(path)
        self.how = View(*self.facts["view"])

    def _open(self, path: Path) -> None:
        from nearnd.jobs import device
        from nearnd.networks.backbone import load_backbone

        model, self.facts = load_backbone(path)
        self.backbone = model.to(device.device())


def build(resize: int | None = None, crop: int | None = None, precision: str = "auto") -> Frozen:
    """The features of the backbone. Images are resized (shorter side) to `resize`, and the centre
    `crop` is taken; null: what the backbone's file states, 256 and 224 for FITYMI's.
    `precision`: auto, fp32 or bf16."""
    return Frozen(resize, crop, precision)
