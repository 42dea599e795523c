"""RETH's losses on a pretrained backbone: outlier exposure by fine-tuning.

As `exposed`, with the backbone and a linear layer in place of the small network. RETH itself trains
from scratch only, so the schedule is ours: Adam with a tenth of RETH's learning rate, 30 epochs.
"""

from __future__ import annotations

from collections.abc import Sequence

from nearnd.contracts import Detector

NEEDS = ["backbone", "outliers"]
EMBEDS = ["features", "logit"]


def work(about, *, epochs: int, batch: int, **rest) -> dict:
    """See contracts.py."""
    return {"shown": epochs * (about.images + about.outliers), "batch": batch}


def build(
    loss: str = "hsc",
    radial: str = "pseudo_huber",
    gamma: float = 2.0,
    code: int = 256,  # RETH's for ImageNet
    epochs: int = 30,
    milestones: Sequence[int] = (20, 25),  # at the same shares as RETH's for ImageNet
    batch: int = 128,
    lr: float = 1e-4,
    weight_decay: float = 0.5e-6,
    resize: int | None = None,
    crop: int | None = None,
    shift: int = 0,
    flip: bool = True,
    precision: str = "auto",
) -> Detector:
    """RETH's methods from a backbone.

    `loss`, `radial`, `gamma`, `code`, `epochs`, `milestones` and `batch` as in `exposed`. Images
    are resized (shorter side) to `resize`; training takes a random `crop`, moved by up to `shift`
    pixels, mirrored half of the time if `flip`; null: what the backbone's file states. RETH's
    colour jitter and noise, too small to matter, are left out. Batch norms are in training mode
    while it trains. `precision`: auto, fp32 or bf16.
    """
    import torch

    from nearnd.detectors._exposed import check
    from nearnd.detectors._exposed_backbone import OnBackbone

    check("exposed_pretrained", loss, radial)

    def optimizer(parameters):
        return torch.optim.Adam(parameters, lr, weight_decay=weight_decay)

    return OnBackbone(
        "exposed_pretrained", optimizer,
        loss=loss, radial=radial, gamma=gamma, code=code, epochs=epochs, milestones=milestones,
        batch=batch, resize=resize, crop=crop, shift=shift, flip=flip, precision=precision,
    )  # fmt: skip
