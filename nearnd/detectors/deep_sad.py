"""DeepSAD by its own recipe: DeepSVDD that also drives known anomalies away from the centre (Ruff
et al., "Deep Semi-Supervised Anomaly Detection", 2020).

RETH's DeepSAD is another method of that name: see `exposed` with `loss: sad`. The defaults of
`build` are the official code's for CIFAR-10.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nearnd.contracts import Detector, Images

NEEDS = ["outliers"]
EMBEDS = ["features", "logit"]
TINY = 1e-6  # the official code's, in the fraction


def work(about, *, widths, hidden, code, epochs: int, batch: int, ae_epochs: int, **rest) -> dict:
    """See contracts.py."""
    from nearnd.networks import flops

    network = flops.lenet(about.side, about.channels, widths, hidden, code)
    shown = epochs * (about.images + about.outliers) + 2 * ae_epochs * about.images
    return {"network": network, "shown": shown, "batch": batch}


def build(
    eta: float = 1.0,
    widths: Sequence[int] = (32, 64, 128),
    hidden: int | None = None,
    code: int = 128,
    bias: bool = False,
    epochs: int = 150,
    milestones: Sequence[int] = (50,),
    lr: float = 1e-4,
    weight_decay: float = 0.5e-6,
    batch: int = 128,
    ae_epochs: int = 350,
    ae_milestones: Sequence[int] = (250,),
    ae_lr: float = 1e-4,
    ae_weight_decay: float = 0.5e-6,
) -> Detector:
    """DeepSAD; the score is |z - c|^2.

    The loss of an image is its d = |z - c|^2, that of an outlier `eta` / (d + 1e-6). Batches are
    drawn from all images together, so the outliers' share of them is their share of the images: the
    paper has few (`ratio` of the fakes' entry). Images stay as they are in [0, 1]. `widths` to
    `ae_weight_decay`: see `deep_svdd`. The autoencoder sees the outliers too. The centre is
    that of the normal images; the official code takes all, of which few are outliers.
    """
    import torch

    from nearnd.detectors import _deep_svdd
    from nearnd.detectors._exposed import pair

    def task(normal: Images, outliers) -> _deep_svdd.Task:
        reals, others = pair("deep_sad", normal, outliers)

        def loss(sphere, d, rows, step):
            known = torch.from_numpy(rows >= len(reals)).to(d.device)
            return losses(d, known, eta).mean()

        return _deep_svdd.Task(np.concatenate([reals, others]), len(reals), None, loss)

    return _deep_svdd.Compact(
        "deep_sad", task, widths=list(widths), hidden=hidden, code=code, bias=bias, epochs=epochs,
        milestones=milestones, lr=lr, weight_decay=weight_decay, batch=batch, ae_epochs=ae_epochs,
        ae_milestones=ae_milestones, ae_lr=ae_lr, ae_weight_decay=ae_weight_decay,
    )  # fmt: skip


def losses(d, known, eta: float):
    """The loss of each image (N,) from its squared distance d (N,): eta / (d + 1e-6) where it is a
    `known` anomaly, bool (N,)."""
    import torch

    return torch.where(known, eta / (d + TINY), d)
