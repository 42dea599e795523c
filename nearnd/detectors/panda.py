"""PANDA: a backbone's features of normal images, drawn towards their mean for a while.

Reiss et al., "PANDA: Adapting Pretrained Features for Anomaly Detection and Segmentation", CVPR
2021. The features would collapse into one point: training is short, or EWC ties the weights. The
method's score is DN2's (`kind: knn`, k = 2). The defaults of `build` are those of the authors'
code. Not here: sample-wise early stopping, which that code lacks too.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nearnd.contracts import Images, Progress, silent
from nearnd.detectors._tuned import Tuned, change, descend

NEEDS = ["backbone"]
EMBEDS = ["features"]
FILES = {
    "fisher": {
        "checksum": "fisher_sha256",
        "hint": "The authors link fisher_diagonal.pth, of ResNet-152 on ImageNet, in the README of"
        " github.com/talreiss/PANDA (by hand). `fisher: null` computes another one.",
    }
}


def work(about, *, iterations: int, batch: int, freeze, **rest) -> dict:
    """See contracts.py."""
    saved = freeze if isinstance(freeze, float | int) else 0  # of names it is not known
    return {"shown": iterations * batch, "batch": batch, "passes": 3 - saved}


class Panda(Tuned):
    kind = "panda"

    def fit(
        self, normal: Images, *, outliers: np.ndarray | None = None, backbone: Path | None,
        seed: int, folder: Path | None, progress: Progress = silent,
    ) -> None:  # fmt: skip
        """Trains on normal images. The centre, the weights that EWC ties to and the Fisher diagonal
        are the pretrained network's, also when a killed job goes on."""
        import logging

        import torch

        from nearnd.detectors._vit import embed
        from nearnd.jobs import device
        from nearnd.networks.backbone import features
        from nearnd.networks.batches import batch_rows
        from nearnd.networks.precision import autocast, dtype
        from nearnd.networks.transform import view

        o, n = self.options, len(normal)
        net = self.open(backbone, normal)
        on = device.device()
        kind = dtype(net, on, o["precision"])
        before = embed(net, normal.pixels, self.how, o["precision"])  # (N, D)
        c = torch.from_numpy(before.mean(axis=0)).to(on)  # (D,)
        tie = self._tie(net, normal.pixels, seed) if o["ewc"] else None

        def loss(step: int):
            rows = batch_rows(step, n, o["batch"], seed)
            x = view(normal.pixels[rows], self.how).to(on)
            with autocast(on, kind):
                z = features(net, x)  # (B, D)
            value = compactness(z.float(), c)
            return value if tie is None else value + o["ewc"] * tie()

        descend(
            net, loss, o, steps=o["iterations"], seed=seed, folder=folder, progress=progress
        )  # fmt: skip
        self.net = net
        after = embed(net, normal.pixels, self.how, o["precision"])
        logging.getLogger("nearnd").info(change(before, after))

    def _tie(self, net, pixels: np.ndarray, seed: int):
        """The function that gives sum_i F_i (theta_i - theta0_i)^2 / 2 of the trained weights."""
        from nearnd.detectors import _fisher

        if self.options["fisher"]:
            f = _fisher.from_file(self.options["fisher"], self.options["fisher_sha256"], net)
        else:
            f = _fisher.of_features(net, pixels, self.how, seed)
        trained = {name: p for name, p in net.named_parameters() if p.requires_grad}
        start = {name: p.detach().clone() for name, p in trained.items()}
        return lambda: sum(
            (f[name] * (p - start[name]).square()).sum() / 2 for name, p in trained.items()
        )


def compactness(z, c):
    """mean_n |z_n - c|^2 / d of features (N, d)."""
    return (z - c).square().mean()


def build(
    iterations: int = 2300,  # the paper's rule, whatever the number of images
    lr: float = 1e-2,
    momentum: float = 0.9,
    weight_decay: float = 5e-5,
    clip: float = 1e-3,  # of the global gradient norm: this and lr set the size of every step
    batch: int = 32,
    ewc: float = 0.0,  # 1e4, with 50 epochs, in the authors' EWC variant
    fisher: str | None = None,
    fisher_sha256: str | None = None,
    freeze: list[str] | float | None = None,
    resize: int | None = None,
    crop: int | None = None,
    precision: str = "fp32",
) -> Panda:
    """mean |f(x) - c|^2 / d, with c the mean of the pretrained features of the normal images, plus,
    if `ewc`, that times sum_i F_i (theta_i - theta0_i)^2 / 2.

    `fisher`: a file of the diagonal F by parameter name (.safetensors or .pth), its checksum
    `fisher_sha256`. null computes one on the normal training images, of the features in place of
    ImageNet's class probabilities (`_fisher.py`): a backbone's file has no classifier, and ImageNet
    is seldom at hand. That one has another scale than the published file, to which 1e4 belongs.
    `freeze`: modules by name, a share of the blocks (with the stem), or null: conv1, bn1, layer1,
    layer2 of a ResNet as in the paper, stem and half of the blocks of any other network. `resize`,
    `crop`: as in `frozen`, in training too; no augmentation. `precision`: auto, fp32 or bf16 (see
    `_tuned.py`).
    """
    return Panda(
        iterations=iterations, lr=lr, momentum=momentum, weight_decay=weight_decay, clip=clip,
        batch=batch, ewc=ewc, fisher=fisher, fisher_sha256=fisher_sha256, freeze=freeze,
        resize=resize, crop=crop, precision=precision,
    )  # fmt: skip
