"""MSAD: contrastive fine-tuning in which angles are measured around the mean normal feature.

Reiss and Hoshen, "Mean-Shifted Contrastive Loss for Anomaly Detection", AAAI 2023. The features
have length 1, so that the method's score, DN2's (`kind: knn`, k = 2), is a cosine one. The defaults
are those of the authors' code. Deviations: the blur is a Gaussian one, not PIL's approximation of
it; where there are fewer images than `batch`, a batch is all of them. For a ViT there is no
published recipe: freezing half of it is what FITYMI does in its own method.
"""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms import v2

from nearnd.contracts import Embedding, Progress, silent
from nearnd.detectors._trained import Given, unit
from nearnd.detectors._tuned import Tuned, change
from nearnd.jobs.device import device
from nearnd.networks.backbone import Features
from nearnd.networks.batches import batch_rows, steps_per_epoch
from nearnd.networks.contrastive import nt_xent
from nearnd.networks.transform import view

NEEDS = ["backbone"]
EMBEDS = ["features"]
log = logging.getLogger("nearnd")


def work(about, *, epochs: int, batch: int, freeze, **rest) -> dict:
    """See contracts.py."""
    saved = freeze if isinstance(freeze, float | int) else 0  # of names it is not known
    shown = 2 * epochs * about.images  # two views of each
    return {"shown": shown, "batch": batch, "passes": 3 - saved}


@dataclass
class MSAD(Tuned):
    """The mean-shifted contrastive loss. For `scale` to `flip` see `augmentation`; `resize` is that
    of the images that are embedded. For a ResNet-18 the authors `freeze` 0.0 and are `bicubic`."""

    epochs: int = 20
    lr: float = 1e-5
    momentum: float = 0.0
    weight_decay: float = 5e-5
    batch: int = 64
    temperature: float = 0.25
    angular: bool = False  # the centre is scaled to length 1; the mean squared distance from it of
    # the first views, and that of the second ones, are added to the loss
    scale: tuple[float, float] = (0.2, 1.0)
    jitter: tuple[float, float, float, float] = (0.4, 0.4, 0.4, 0.1)
    grey: float = 0.2
    blur: tuple[float, float] | None = (0.1, 2.0)  # of an input of 224 pixels; null: none
    flip: bool = True
    bicubic: bool = False  # the images that are embedded are resized so; else bilinear

    def learn(self, given: Given) -> None:
        """Trains on pairs of random views of normal images. The centre is the mean of the
        pretrained network's features of the images as they are, also when a killed job goes on."""
        n, images = len(given.normal), given.normal.pixels
        self.net = net = self.open(given)
        self.facts["view"] = list(self.how._replace(bicubic=self.bicubic))
        run, how = self.in_precision(Features(net)), self.how._replace(resize=self.how.crop)
        augment = augmentation(how.crop, self.scale, self.jitter, self.grey, self.blur, self.flip)
        before = self.embed(images)["features"]  # (N, D)
        c = torch.from_numpy(before.mean(axis=0)).to(device())  # (D,)
        c = F.normalize(c, dim=0) if self.angular else c
        batch = min(self.batch, n)  # an image must not be its own negative

        def loss(step: int) -> Tensor:
            pixels = images[batch_rows(step, n, batch, given.seed)]
            x = np.concatenate([views(pixels, augment), views(pixels, augment)])
            u = F.normalize(run(view(x, how)).float())  # (2B, D)
            value = mean_shifted(u, c, self.temperature)
            return value + 2 * (u - c).square().sum(1).mean() if self.angular else value

        self.descend(given, net, loss, self.epochs * steps_per_epoch(n, batch))
        log.info(change(before, self.embed(images)["features"]))

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """{"features": float32 (N, D)} of length 1."""
        return {"features": unit(self.features_of(self.fitted("embed"), pixels, progress))}


def mean_shifted(u: Tensor, c: Tensor, temperature: float) -> Tensor:
    """The contrastive loss (`nt_xent`) of v = (u - c) / |u - c|, for features u (2B, D) of length 1
    whose rows i and i + B are views of one image, around the centre c (D,)."""
    return nt_xent(F.normalize(u - c), temperature)


def augmentation(side: int, scale, jitter, grey: float, blur, flip: bool) -> Callable:
    """A function from uint8 (C, H, W) to a random view uint8 (C, side, side), as MoCo v2 draws it.

    A window of a share `scale` of the image, resized; with probability 0.8 a colour jitter by
    `jitter` (brightness, contrast, saturation, hue); `grey`: the probability of no colours; with
    probability 0.5 a blur, its sigma from the range `blur` in pixels of the view; a mirror image
    half of the time if `flip`. Drawn from torch's global generator.
    """
    steps: list = [v2.RandomResizedCrop(side, scale=tuple(scale), antialias=True)]
    if any(jitter):
        steps.append(v2.RandomApply([v2.ColorJitter(*jitter)], p=0.8))
    if grey:
        steps.append(v2.RandomGrayscale(grey))
    if blur:
        reach = min(math.ceil(3 * blur[1]), side - 1)  # pixels beyond the border are mirrored
        steps.append(v2.RandomApply([v2.GaussianBlur(2 * reach + 1, tuple(blur))], p=0.5))
    if flip:
        steps.append(v2.RandomHorizontalFlip())
    return v2.Compose(steps)


def views(pixels: np.ndarray, augment: Callable[[Tensor], Tensor]) -> np.ndarray:
    """A random view of each image, drawn for each: uint8 (N, H, W, C) to (N, side, side, C)."""
    x = torch.from_numpy(np.array(pixels)).movedim(-1, 1)  # (N, C, H, W)
    return torch.stack([augment(image) for image in x]).movedim(1, -1).numpy()  # (N, s, s, C)


build = MSAD
