"""RETH: a small network trained from scratch to tell normal images from outlier exposure.

One file for the four methods that share everything but the loss: BCE, Focal, HSC and RETH's DeepSAD
("Rethinking Assumptions in Deep Anomaly Detection"; DeepSAD's own recipe is `deep_sad`). The
defaults of `build` are those for CIFAR-10.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from nearnd.contracts import Embedding, Images, Progress, silent

NEEDS = ["outliers"]
EMBEDS = ["features", "logit"]
NETWORK = ("network", "widths", "hidden", "code", "bias", "per_stage", "loss", "radial")


def work(
    about,
    *,
    network: str,
    widths,
    hidden,
    code: int,
    per_stage: int,
    epochs: int,
    batch: int,
    **rest,
) -> dict:
    """See contracts.py."""
    from nearnd.networks import flops

    if network == "lenet":
        net = flops.lenet(about.side, about.channels, widths, hidden, code)
    else:
        net = flops.wide_resnet(about.side, about.channels, 6 * per_stage + 4, widths[0] // 16)
        net = net._replace(features=code)
    return {"network": net, "shown": epochs * (about.images + about.outliers), "batch": batch}


class Scratch:
    """Detector (contracts.py): a code for each image, and how anomalous it is."""

    def __init__(self, **options):
        self.options = options
        self.net = None

    def fit(
        self, normal: Images, *, outliers: np.ndarray | None, backbone: Path | None, seed: int,
        folder: Path | None, progress: Progress = silent,
    ) -> None:  # fmt: skip
        """Trains on normal images (label 0) against outliers (label 1)."""
        import torch

        from nearnd.detectors import _exposed, _exposed_scratch
        from nearnd.jobs import device
        from nearnd.networks.augment import as_tensor

        o = self.options
        reals, others = _exposed.pair("exposed", normal, outliers)
        side, channels = _exposed_scratch.square(reals)
        statistics = [
            _exposed_scratch.channel_values(o[name], own, channels, name)
            for name, own in _exposed_scratch.levels(reals).items()
        ]
        self.facts = {name: o[name] for name in NETWORK}
        self.facts |= {"side": side, "channels": channels, "levels": statistics}
        torch.manual_seed(seed)
        self.net = _exposed_scratch.network(self.facts).to(device.device()).train()

        def loss(x, y):
            return _exposed.losses(self.net(x)[1], y, o["loss"], o["gamma"]).mean()

        def see(pixels):
            x = _exposed_scratch.changed(as_tensor(pixels), o)
            return _exposed_scratch.normalised(x, statistics)

        optimizer = torch.optim.Adam(
            self.net.parameters(), lr=o["lr"], weight_decay=o["weight_decay"]
        )
        _exposed.train_exposed(
            self.net, loss, see, reals, others, optimizer, epochs=o["epochs"],
            milestones=o["milestones"], batch=o["batch"], seed=seed, folder=folder,
            progress=progress,
        )  # fmt: skip
        self.net.eval()

    def embed(self, pixels: np.ndarray, progress: Progress = silent) -> Embedding:
        """{"features": the code z, float32 (N, code), "logit": float32 (N,), higher = more
        anomalous}: the logit of bce and focal, the distance of hsc and sad, neither squashed."""
        from nearnd.detectors._exposed import embed_exposed
        from nearnd.detectors._exposed_scratch import normalised
        from nearnd.detectors._vit import fitted
        from nearnd.networks.augment import as_tensor

        net = fitted(self.net, "embed")
        see = partial(normalised, statistics=self.facts["levels"])
        return embed_exposed(net, lambda images: see(as_tensor(images)), pixels, progress)

    def save(self, path: Path) -> None:
        from nearnd.detectors._vit import fitted
        from nearnd.files.arrays import save_tensors
        from nearnd.networks.backbone import weights_of

        net = fitted(self.net, "save")
        save_tensors(path, weights_of(net), detector="exposed", facts=self.facts)

    def load(self, path: Path) -> None:
        from nearnd.detectors._exposed_scratch import network
        from nearnd.files.arrays import load_tensors
        from nearnd.jobs import device
        from nearnd.networks.backbone import put_weights

        weights, facts = load_tensors(path)
        if facts.get("detector") != "exposed":
            raise ValueError(f"{path} is not the file of an `exposed` detector")
        self.facts = facts["facts"]
        net = network(self.facts)
        put_weights(net, weights, path)
        self.net = net.to(device.device()).eval()


def build(
    loss: str = "hsc",
    radial: str = "pseudo_huber",  # the paper's choice (RETH table 3)
    gamma: float = 2.0,
    network: str = "lenet",
    widths: Sequence[int] = (32, 64, 128),
    hidden: int | None = 512,
    code: int = 256,
    bias: bool = True,  # also scale and shift of the batch norms
    per_stage: int = 6,  # WRN-40-2, as in outlier exposure's own paper
    epochs: int = 200,
    milestones: Sequence[int] = (100, 150),
    batch: int = 128,  # normal images, and as many outliers
    lr: float = 1e-3,
    weight_decay: float = 0.5e-6,  # the official commands'; 1e-6 in its trainer
    jitter: float = 0.01,
    flip: bool = True,
    pad: int = 4,
    noise: float = 0.001,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
) -> Scratch:
    """RETH's methods from scratch; square images of any size that the network can halve.

    `loss`: bce, focal (with `gamma`, without class weights), hsc, or sad with the centre at the
    origin. `radial`, of hsc: pseudo_huber, l1, l2 or squared. `network`: lenet, whose blocks have
    these `widths`, or wide_resnet, whose stages have them, each of `per_stage` blocks; then a
    `hidden` layer (null: none), then a linear one to `code` features.

    `epochs` and `milestones` (where the learning rate falls to a tenth) count passes over the
    normal images. Training images get `jitter` (largest change of brightness, contrast,
    saturation and hue), a `flip` half of the time, a random crop after `pad` black pixels, and
    Gaussian `noise`; 0 is none. `mean` and `std` of pixels in [0, 1], one number or one per
    channel; null: those of the normal training images.
    """
    from nearnd.detectors._exposed import check

    check("exposed", loss, radial)
    if network not in ("lenet", "wide_resnet"):
        raise ValueError(f"exposed: network is {network!r}, it must be lenet or wide_resnet")
    return Scratch(
        loss=loss, radial=radial, gamma=gamma, network=network, widths=list(widths), hidden=hidden,
        code=code, bias=bias, per_stage=per_stage, epochs=epochs, milestones=milestones,
        batch=batch, lr=lr, weight_decay=weight_decay, jitter=jitter, flip=flip, pad=pad,
        noise=noise, mean=mean, std=std,
    )  # fmt: skip
