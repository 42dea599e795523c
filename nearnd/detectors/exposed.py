"""RETH: a small network trained from scratch to tell normal images from outlier exposure.

One file for the four methods that share everything but the loss: BCE, Focal, HSC and RETH's DeepSAD
("Rethinking Assumptions in Deep Anomaly Detection"; DeepSAD's own recipe is `deep_sad`). The
defaults are those for CIFAR-10.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from nearnd.contracts import Embedding, Progress, silent
from nearnd.detectors._exposed import BATCH, LOSSES, RADIAL, Exposed, losses, train_exposed
from nearnd.detectors._trained import Given, Trained, batched
from nearnd.files.header import BOOL, NULL, either, number, one_of, record, several, whole
from nearnd.jobs.device import device
from nearnd.networks import augment, lenet
from nearnd.networks.transform import statistics
from nearnd.networks.wide_resnet import WideResNet

NEEDS = ["outliers"]
EMBEDS = ["features", "logit"]
NETWORK = ("network", "widths", "hidden", "code", "bias", "per_stage", "loss", "radial")


def work(
    about, *, network: str, widths, hidden, code, per_stage: int, epochs: int, batch: int, **rest
) -> dict:
    """See contracts.py."""
    from nearnd.networks import flops

    if network == "lenet":
        net = flops.lenet(about.side, about.channels, widths, hidden, code)
    else:
        net = flops.wide_resnet(about.side, about.channels, 6 * per_stage + 4, widths[0] // 16)
        net = net._replace(features=code)
    return {"network": net, "shown": epochs * (about.images + about.outliers), "batch": batch}


@dataclass
class Scratch(Trained):
    """RETH's methods from scratch; square images of any size that the network can halve."""

    # focal without class weights, sad with the centre at the origin
    loss: Literal["bce", "focal", "hsc", "sad"] = "hsc"
    radial: Literal["pseudo_huber", "l1", "l2", "squared"] = (
        "pseudo_huber"  # of hsc, the paper's choice (RETH table 3)
    )
    gamma: float = 2.0  # of focal
    network: Literal["lenet", "wide_resnet"] = "lenet"
    widths: Sequence[int] = (32, 64, 128)  # of the LeNet's blocks, or the wide ResNet's stages
    hidden: int | None = 512  # width of a layer before the last; null: none
    code: int = 256  # features, of the last layer, a linear one
    bias: bool = True  # also scale and shift of the batch norms
    per_stage: int = 6  # blocks of a stage: WRN-40-2, as in outlier exposure's own paper
    epochs: int = 200  # passes over the normal images
    milestones: Sequence[int] = (100, 150)  # epochs at which the learning rate falls to a tenth
    batch: int = 128  # normal images, and as many outliers
    lr: float = 1e-3
    weight_decay: float = 0.5e-6  # the official commands'; 1e-6 in its trainer
    jitter: float = 0.01  # largest change of brightness, contrast, saturation and hue; 0: none
    flip: bool = True  # mirrored half of the time
    pad: int = 4  # black pixels around the image, before a random crop; 0: none
    noise: float = 0.001  # standard deviation of Gaussian noise; 0: none
    mean: float | Sequence[float] | None = None  # of pixels in [0, 1], one number or one per
    std: float | Sequence[float] | None = None  # channel; null: of the normal training images

    FACTS = record(
        network=one_of("lenet", "wide_resnet"), widths=several(whole()), code=whole(), bias=BOOL,
        hidden=either(whole(), NULL), per_stage=whole(), side=whole(), channels=whole(most=64),
        loss=one_of(*LOSSES), radial=one_of(*RADIAL), levels=several(several(number()), 2, 2),
    )  # fmt: skip

    def learn(self, given: Given) -> None:
        """Trains on normal images (label 0) against outliers (label 1)."""
        reals, _ = given.pair("exposed")
        side, width, channels = reals.shape[1:]
        if side != width:
            raise ValueError(f"images are {side} x {width}; this network takes square ones")
        levels = [
            channel_values(getattr(self, name), own, channels, name)
            for name, own in zip(("mean", "std"), statistics(reals), strict=True)
        ]
        self.facts = {name: getattr(self, name) for name in NETWORK}
        self.facts |= {"side": side, "channels": channels, "levels": levels}
        torch.manual_seed(given.seed)
        self.net = net = self.untrained().to(device()).train()

        def loss(x: Tensor, y: Tensor) -> Tensor:
            return losses(net(x)[1], y, self.loss, self.gamma).mean()

        def see(pixels: np.ndarray) -> Tensor:
            return normalised(self._changed(augment.as_tensor(pixels)), levels)

        optimizer = torch.optim.Adam(net.parameters(), self.lr, weight_decay=self.weight_decay)
        train_exposed(self, given, loss, see, optimizer)

    def untrained(self) -> Exposed:
        f = self.facts
        head = f["hidden"], f["code"]
        if f["network"] == "lenet":
            net = lenet.lenet(f["channels"], f["side"], f["widths"], *head, bias=f["bias"])
        else:
            trunk = WideResNet(f["channels"], f["widths"], f["per_stage"])
            net = nn.Sequential(trunk, lenet.coder(f["widths"][-1], *head, bias=f["bias"]))
        return Exposed(net, f["code"], f["loss"], f["radial"])

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """{"features": the code z, float32 (N, code), "logit": float32 (N,), higher = more
        anomalous}: the logit of bce and focal, the distance of hsc and sad, neither squashed."""
        net, levels = self.fitted("embed"), self.facts["levels"]
        on = next(net.parameters()).device

        self.check_size(pixels)

        def of(some: np.ndarray) -> tuple[Tensor, Tensor]:
            return net(normalised(augment.as_tensor(some), levels).to(on))

        z, a = batched(of, pixels, progress, BATCH)
        return {"features": z, "logit": a}

    def _changed(self, x: Tensor) -> Tensor:
        """Training images (N, C, H, W) in [0, 1] after RETH's random changes, in its order."""
        if self.jitter:
            x = augment.colour_jitter(x, self.jitter)
        if self.flip:
            x = augment.flipped(x)
        if self.pad:
            x = augment.shifted(x, self.pad)
        return x + self.noise * torch.randn_like(x) if self.noise else x


def normalised(x: Tensor, levels: list[list[float]]) -> Tensor:
    """(N, C, H, W) minus the mean of its channel, over the standard deviation."""
    mean, std = (torch.tensor(values)[:, None, None] for values in levels)
    return (x - mean) / std


def channel_values(given, own: list[float], channels: int, what: str) -> list[float]:
    """One number for each channel: those of the entry, or else of the images."""
    values = own if given is None else [float(v) for v in np.atleast_1d(given)]
    if len(values) not in (1, channels):
        raise ValueError(
            f"exposed: {what} is {given}, but images have {channels} channels: give one number or"
            f" {channels} as `{what}` of the detector's entry, or leave it out"
        )
    return values * channels if len(values) == 1 else values


build = Scratch
