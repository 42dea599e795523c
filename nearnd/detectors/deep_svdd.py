"""DeepSVDD: codes of normal images are drawn to one point (Ruff et al., "Deep One-Class
Classification", 2018).

The defaults of `build` are the official code's for CIFAR-10. The weights of an autoencoder of the
normal images are where training starts.
"""

from __future__ import annotations

from collections.abc import Sequence

from nearnd.contracts import Detector, Images

NEEDS = []
EMBEDS = ["features", "logit"]


def work(about, *, widths, hidden, code, epochs: int, batch: int, ae_epochs: int, **rest) -> dict:
    """See contracts.py."""
    from nearnd.networks import flops

    network = flops.lenet(about.side, about.channels, widths, hidden, code)
    shown = (epochs + 2 * ae_epochs) * about.images  # encoder and decoder
    return {"network": network, "shown": shown, "batch": batch}


def build(
    objective: str = "one_class",
    nu: float = 0.1,
    warm_up: int = 10,
    widths: Sequence[int] = (32, 64, 128),
    hidden: int | None = None,
    code: int = 128,
    bias: bool = False,
    contrast: bool = True,
    epochs: int = 150,
    milestones: Sequence[int] = (50,),
    lr: float = 1e-4,
    weight_decay: float = 0.5e-6,
    batch: int = 200,
    ae_epochs: int = 350,
    ae_milestones: Sequence[int] = (250,),
    ae_lr: float = 1e-4,
    ae_weight_decay: float = 0.5e-6,
) -> Detector:
    """DeepSVDD; the score is |z - c|^2, minus R^2 for the soft boundary.

    `objective`: one_class, or soft_boundary, which lets a share `nu` of the images lie outside of
    the radius R; R is 0 for `warm_up` epochs. `widths`, `hidden`, `code`: of the LeNet, see
    `exposed`. `bias`: adds biases and affine batch norms, which lets it collapse; training then
    ends with an error if it has. `contrast`: images are normalised in contrast and scaled by the
    extrema of the normal training images. `ae_...`: of the autoencoder; 0 epochs is none.
    """
    from nearnd.detectors import _deep_svdd
    from nearnd.networks.contrast import extrema

    if objective not in ("one_class", "soft_boundary"):
        raise ValueError(
            f"deep_svdd: objective is {objective!r}, it must be one_class or soft_boundary"
        )
    if not 0 < nu < 1:
        raise ValueError(f"deep_svdd: nu is {nu}, a share of the images between 0 and 1")

    def task(normal: Images, outliers) -> _deep_svdd.Task:
        pixels = normal.pixels

        def loss(sphere, d, rows, step):
            if objective == "one_class":
                return d.mean()
            moves = step * batch >= warm_up * len(pixels)
            return soft_boundary(d, sphere.radius, nu, moves=moves)

        found = extrema(pixels) if contrast and len(pixels) else None
        return _deep_svdd.Task(pixels, len(pixels), found, loss)

    return _deep_svdd.Compact(
        "deep_svdd", task, widths=list(widths), hidden=hidden, code=code, bias=bias, epochs=epochs,
        milestones=milestones, lr=lr, weight_decay=weight_decay, batch=batch, ae_epochs=ae_epochs,
        ae_milestones=ae_milestones, ae_lr=ae_lr, ae_weight_decay=ae_weight_decay,
    )  # fmt: skip


def soft_boundary(d, radius, nu: float, *, moves: bool):
    """R^2 + mean(max(0, d - R^2)) / nu of squared distances d (N,). Then, if it `moves`, R becomes
    the distance that a share nu of the batch is beyond."""
    import torch

    square = radius.detach() ** 2
    value = square + (d - square).clamp_min(0).mean() / nu
    if moves:
        with torch.no_grad():
            radius.copy_(torch.quantile(d.detach().sqrt(), 1 - nu))
    return value
