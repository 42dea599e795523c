"""ADIB: outlier exposure that stays near the pretrained weights (Deecke et al., TransferAD).

A one-logit classifier, normal against outliers, with a penalty on how far the weights have gone
from where they began. The official network is a ResNet-26 for 32 pixels whose weight file is not
to be had; any backbone takes its place here.
"""

from __future__ import annotations

from collections.abc import Sequence

from nearnd.contracts import Detector

NEEDS = ["backbone", "outliers"]
EMBEDS = ["features", "logit"]


def work(about, *, epochs: int, batch: int, **rest) -> dict:
    """See contracts.py."""
    return {"shown": epochs * (about.images + about.outliers), "batch": batch}


def matrices(model) -> list:
    """The weights that are held back: all convolutions and matrices. Of the official ResNet-26,
    whose shortcuts have no weights, these are its 3 x 3 convolutions."""
    return [p for p in model.parameters() if p.ndim > 1]


def how_far(now: list, start: list):
    """|theta - theta_0| over all of these weights, not squared. Its gradient at the start is 0."""
    import torch

    parts = [(p - q).flatten() for p, q in zip(now, start, strict=True)]
    return torch.linalg.vector_norm(torch.cat(parts))


def build(
    alpha: float = 0.01,
    epochs: int = 100,
    milestones: Sequence[int] = (60, 80),
    batch: int = 64,  # normal images, and as many outliers
    lr: float = 0.1,
    momentum: float = 0.9,
    weight_decay: float = 1e-4,
    resize: int | None = None,
    crop: int | None = None,
    shift: int = 4,
    flip: bool = True,
    precision: str = "auto",
) -> Detector:
    """The official recipe. Its learning rate is that of a ResNet; a ViT needs a smaller one.

    Loss: binary cross-entropy + `alpha` |theta - theta_0|. Images are resized (shorter side) to
    `resize`, moved by up to `shift` pixels with the border repeated (the original's is black),
    mirrored half of the time if `flip`; null: what the backbone's file states. `epochs` and
    `milestones`, where the learning rate falls to a tenth, count passes over the normal images.
    Batch norms are in training mode while it trains. `precision`: auto, fp32 or bf16.
    """
    import torch

    from nearnd.detectors._exposed_backbone import OnBackbone

    def optimizer(parameters):
        return torch.optim.SGD(parameters, lr, momentum=momentum, weight_decay=weight_decay)

    def penalty(backbone):
        held = matrices(backbone)
        start = [p.detach().clone() for p in held]
        return lambda: alpha * how_far(held, start)

    return OnBackbone(
        "adib", optimizer, penalty,
        loss="bce", radial="squared", gamma=0.0, code=None, epochs=epochs, milestones=milestones,
        batch=batch, resize=resize, crop=crop, shift=shift, flip=flip, precision=precision,
    )  # fmt: skip
