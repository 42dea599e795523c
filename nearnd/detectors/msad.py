"""MSAD: contrastive fine-tuning in which angles are measured around the mean normal feature.

Reiss and Hoshen, "Mean-Shifted Contrastive Loss for Anomaly Detection", AAAI 2023. The features
have length 1, so that the method's score, DN2's (`kind: knn`, k = 2), is a cosine one. The
defaults of `build` are those of the authors' code. Deviations: the blur is a Gaussian one, not
PIL's approximation of it; where there are fewer images than `batch`, a batch is all of them. For a
ViT there is no published recipe: freezing half of it is what FITYMI does in its own method.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nearnd.contracts import Embedding, Images, Progress, silent
from nearnd.detectors._tuned import Tuned, change, descend

NEEDS = ["backbone"]
EMBEDS = ["features"]


def work(about, *, epochs: int, batch: int, freeze, **rest) -> dict:
    """See contracts.py."""
    saved = freeze if isinstance(freeze, float | int) else 0  # of names it is not known
    shown = 2 * epochs * about.images  # two views of each
    return {"shown": shown, "batch": batch, "passes": 3 - saved}


class MSAD(Tuned):
    kind = "msad"

    def fit(
        self, normal: Images, *, outliers: np.ndarray | None = None, backbone: Path | None,
        seed: int, folder: Path | None, progress: Progress = silent,
    ) -> None:  # fmt: skip
        """Trains on pairs of random views of normal images. The centre is the mean of the
        pretrained network's features of the images as they are, also when a killed job goes on."""
        import logging

        import torch
        from torch.nn import functional as F

        from nearnd.detectors._augment import augmentation, views
        from nearnd.jobs import device
        from nearnd.networks.backbone import features
        from nearnd.networks.batches import batch_rows, steps_per_epoch
        from nearnd.networks.precision import autocast, dtype
        from nearnd.networks.transform import view

        o, on, n = self.options, device.device(), len(normal)
        self.net = net = self.open(backbone, normal)
        kind, crop = dtype(net, on, o["precision"]), self.how.crop
        augment = augmentation(crop, o["scale"], o["jitter"], o["grey"], o["blur"], o["flip"])
        how = self.how._replace(resize=crop)
        before = self.embed(normal.pixels)["features"]  # (N, D)
        c = torch.from_numpy(before.mean(axis=0)).to(on)  # (D,)
        c = F.normalize(c, dim=0) if o["angular"] else c
        batch = min(o["batch"], n)  # an image must not be its own negative

        def loss(step: int):
            pixels = normal.pixels[batch_rows(step, n, batch, seed)]
            x = np.concatenate([views(pixels, augment), views(pixels, augment)])
            with autocast(on, kind):
                z = features(net, view(x, how).to(on))  # (2B, D)
            u = F.normalize(z.float())  # (2B, D)
            value = mean_shifted(u, c, o["temperature"])
            return value + 2 * (u - c).square().sum(1).mean() if o["angular"] else value

        steps = o["epochs"] * steps_per_epoch(n, batch)
        descend(net, loss, o, steps=steps, seed=seed, folder=folder, progress=progress)
        after = self.embed(normal.pixels)["features"]
        logging.getLogger("nearnd").info(change(before, after))

    def embed(self, pixels: np.ndarray, progress: Progress = silent) -> Embedding:
        """{"features": float32 (N, D)} of length 1."""
        h = super().embed(pixels, progress)["features"]
        return {"features": h / np.linalg.norm(h, axis=1, keepdims=True).clip(1e-12)}  # (N, D)


def mean_shifted(u, c, temperature: float):
    """The contrastive loss of v = (u - c) / |u - c|, for features u (2B, D) of length 1 whose rows
    i and i + B are views of one image, around the centre c (D,).

    mean_i -log(exp(v_i v_i' / t) / sum over k other than i of exp(v_i v_k / t)), with i' the other
    view of i and t the temperature (NT-Xent).
    """
    import torch
    from torch.nn import functional as F

    v = F.normalize(u - c)  # (2B, D)
    similar = v @ v.T / temperature  # (2B, 2B)
    similar = similar.masked_fill(torch.eye(len(v), dtype=torch.bool, device=v.device), -torch.inf)
    other = torch.arange(len(v), device=v.device).roll(len(v) // 2)  # (2B,)
    return F.cross_entropy(similar, other)


def build(
    epochs: int = 20,
    lr: float = 1e-5,
    momentum: float = 0.0,
    weight_decay: float = 5e-5,
    batch: int = 64,
    temperature: float = 0.25,
    angular: bool = False,
    scale: tuple[float, float] = (0.2, 1.0),
    jitter: tuple[float, float, float, float] = (0.4, 0.4, 0.4, 0.1),
    grey: float = 0.2,
    blur: tuple[float, float] | None = (0.1, 2.0),  # of an input of 224 pixels
    flip: bool = True,
    freeze: list[str] | float | None = None,
    resize: int | None = None,
    crop: int | None = None,
    precision: str = "fp32",
) -> MSAD:
    """The mean-shifted contrastive loss; with `angular` the centre is scaled to length 1, and the
    mean squared distance from it of the first views, and that of the second ones, are added.

    `scale`, `jitter`, `grey`, `blur`, `flip`: the augmentation, see `_augment.py`; `blur` null:
    none. `freeze`: as in `panda`; the authors train all of a ResNet-18 (0.0). `resize`, `crop`: of
    the images that are embedded. `precision`: auto, fp32 or bf16.
    """
    return MSAD(
        epochs=epochs, lr=lr, momentum=momentum, weight_decay=weight_decay, batch=batch,
        temperature=temperature, angular=angular, scale=scale, jitter=jitter, grey=grey, blur=blur,
        flip=flip, freeze=freeze, resize=resize, crop=crop, precision=precision,
    )  # fmt: skip
