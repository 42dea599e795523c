"""FITYMI: the backbone, fine-tuned to tell normal images from fakes (section 3, step 2).

The defaults of `build` are those of the official code.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from nearnd.contracts import Embedding, Images, Progress, silent
from nearnd.detectors._freeze import freeze

NEEDS = ["backbone", "outliers"]
EMBEDS = ["features", "logit"]


def work(about, *, epochs: int, batch: int, freeze: float, freeze_stem: bool, **rest) -> dict:
    """See contracts.py."""
    shown = epochs * (about.images + about.outliers)
    saved = freeze * (2 if freeze_stem else 1)  # frozen weights have no gradient of their own
    return {"shown": shown, "batch": batch, "passes": 3 - saved}


REAL, FAKE = 0, 1


class Binary:
    """Detector (contracts.py): a two-way classifier whose features are used."""

    def __init__(self, **options):
        self.options = options
        self.net = None

    def fit(
        self, normal: Images, *, outliers: np.ndarray | None, backbone: Path | None, seed: int,
        folder: Path | None, progress: Progress = silent,
    ) -> None:  # fmt: skip
        """Trains on normal images (label 0) against outliers (label 1), shuffled together."""
        import torch
        from torch.nn import functional as F

        from nearnd.detectors._vit import as_path, view_of
        from nearnd.jobs import device
        from nearnd.jobs.training_loop import train
        from nearnd.networks.backbone import Classifier, load_backbone
        from nearnd.networks.batches import batch_rows, steps_per_epoch
        from nearnd.networks.micro_batch import MicroBatch
        from nearnd.networks.precision import autocast, dtype
        from nearnd.networks.transform import view

        o, on = self.options, device.device()
        reals, fakes = _pair(normal, outliers)
        model, self.facts = load_backbone(as_path(backbone, "binary"))
        self.how = view_of(self.facts, o["resize"], o["crop"], shift=o["shift"], flip=o["flip"])
        torch.manual_seed(seed)
        net = Classifier(model, 2).to(on)
        freeze(net.backbone, o["freeze"], o["freeze_stem"])
        add_dropout(net.backbone, o["dropout"])
        self.net, kind = net, dtype(net, on, o["precision"])

        n, batch = len(reals) + len(fakes), o["batch"]
        steps = o["epochs"] * steps_per_epoch(n, batch)
        optimizer = _optimizer(o, [p for p in net.parameters() if p.requires_grad])
        micro = MicroBatch(batch)  # in parts where the GPU's memory asks for it

        def loss(step: int):
            rows = batch_rows(step, n, batch, seed)
            fake = rows >= len(reals)
            pixels = np.empty((len(rows), *reals.shape[1:]), np.uint8)
            pixels[~fake], pixels[fake] = reals[rows[~fake]], fakes[rows[fake] - len(reals)]
            x = view(pixels, self.how, random=True)  # (B, C, S, S)
            y = torch.from_numpy(np.where(fake, FAKE, REAL))  # (B,)
            for part in micro.parts(batch):
                with autocast(on, kind):
                    logits = net(x[part].to(on))  # (b, 2)
                yield F.cross_entropy(logits.float(), y[part].to(on)) * (len(logits) / batch)

        cosine = {"constant": None, "cosine": lambda i: 0.5 + 0.5 * math.cos(math.pi * i / steps)}
        _train_mode(net)
        train(
            net, optimizer, loss, steps=steps, seed=seed, folder=folder,
            schedule=cosine[o["schedule"]], out_of_memory=micro.halve, progress=progress,
        )  # fmt: skip
        net.eval()

    def embed(self, pixels: np.ndarray, progress: Progress = silent) -> Embedding:
        """{"features": float32 (N, D), "logit": float32 (N,)}: features as in `frozen`, and the
        head's logit of fake minus that of real."""
        from nearnd.detectors._vit import embed, fitted

        net = fitted(self.net, "embed")
        h = embed(net.backbone, pixels, self.how, self.options["precision"], progress)  # (N, D)
        w, b = (p.detach().cpu().numpy() for p in (net.head.weight, net.head.bias))
        logit = h @ (w[FAKE] - w[REAL]) + (b[FAKE] - b[REAL])  # (N,)
        if self.options["normalise"]:
            h = h / np.linalg.norm(h, axis=1, keepdims=True).clip(1e-12)  # (N, D)
        return {"features": h, "logit": logit.astype(np.float32)}

    def save(self, path: Path) -> None:
        from nearnd.detectors._vit import fitted
        from nearnd.files.arrays import save_tensors
        from nearnd.networks.backbone import weights_of

        facts = {"detector": "binary", "view": list(self.how)}
        facts |= {"backbone": self.facts, "normalise": self.options["normalise"]}
        save_tensors(path, weights_of(fitted(self.net, "save")), **facts)

    def load(self, path: Path) -> None:
        from nearnd.files.arrays import load_tensors
        from nearnd.jobs import device
        from nearnd.networks.backbone import Classifier, create, put_weights
        from nearnd.networks.transform import View

        weights, facts = load_tensors(path)
        if facts.get("detector") != "binary":
            raise ValueError(f"{path} is not the file of a `binary` detector")
        self.facts, self.how = facts["backbone"], View(*facts["view"])
        self.options["normalise"] = facts["normalise"]
        net = Classifier(create(self.facts), 2)
        put_weights(net, weights, path)
        self.net = net.to(device.device()).eval()


def add_dropout(backbone, p: float) -> None:
    """Dropout where the official ViT has it: after the position embedding and after both linear
    layers of every MLP, none in the attention. Networks without such places stay as they are."""
    from torch import nn

    from nearnd.networks.dropout import Dropout

    for name, module in list(backbone.named_modules()):
        place = name == "pos_drop" or name.endswith(("mlp.drop1", "mlp.drop2"))
        if place and isinstance(module, nn.Dropout):
            backbone.set_submodule(name, Dropout(p))


def _train_mode(net) -> None:
    """Training mode, frozen dropout included (FITYMI trap C10); frozen batch norms stay fixed."""
    from torch.nn.modules.batchnorm import _BatchNorm

    net.train()
    for module in net.modules():
        if isinstance(module, _BatchNorm) and not any(p.requires_grad for p in module.parameters()):
            module.eval()


def _optimizer(o: dict, parameters: list):
    import torch

    if o["optimizer"] == "adamw":
        return torch.optim.AdamW(parameters, lr=o["lr"], weight_decay=o["weight_decay"], fused=True)
    return torch.optim.SGD(
        parameters, lr=o["lr"], momentum=o["momentum"], weight_decay=o["weight_decay"]
    )


def _pair(normal: Images, outliers: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The two pixel arrays, or ValueError if one is empty or their images differ in size."""
    if outliers is None or not len(outliers) or not len(normal):
        count = 0 if outliers is None else len(outliers)
        raise ValueError(
            f"binary needs normal images and outliers, it got {len(normal)} and {count}:"
            " set `outliers` in the detector's entry"
        )
    if outliers.shape[1:] != normal.pixels.shape[1:]:
        raise ValueError(
            f"outliers are images of {outliers.shape[1:]}, normal ones of"
            f" {normal.pixels.shape[1:]}: give both the same size (`size` of the datasets)"
        )
    return normal.pixels, outliers


def build(
    lr: float = 4e-4,  # 5e-3 for images of high resolution (README of the official code)
    epochs: int = 30,  # 150 for images of high resolution
    batch: int = 16,
    optimizer: str = "sgd",
    momentum: float = 0.0,
    weight_decay: float = 5e-5,  # on every trained weight
    schedule: str = "constant",
    freeze: float = 0.5,  # the first six of twelve blocks
    freeze_stem: bool = False,  # patch and position embedding are trained
    dropout: float = 0.1,
    resize: int | None = None,
    crop: int | None = None,
    shift: int = 0,
    flip: bool = True,
    normalise: bool = False,
    precision: str = "auto",
) -> Binary:
    """FITYMI's fine-tuning.

    `optimizer`: sgd or adamw; `schedule`: constant or cosine. `freeze`: share of the blocks.
    `freeze_stem` freezes what comes before them too, which saves their backward pass. Images are
    resized (shorter side) to `resize`; training takes a random `crop`, moved by up to `shift`
    pixels, mirrored half of the time if `flip`; features take the centre. null: what the
    backbone's file states, 256 and 224 for FITYMI's. `normalise`: features of length one.
    `precision`: auto, fp32 or bf16.
    """
    for name, value, known in (
        ("optimizer", optimizer, ("sgd", "adamw")), ("schedule", schedule, ("constant", "cosine"))
    ):  # fmt: skip
        if value not in known:
            raise ValueError(f"binary: {name} is {value!r}, it must be one of {', '.join(known)}")
    if not 0 <= freeze <= 1:
        raise ValueError(f"binary: freeze is {freeze}, a share of the blocks between 0 and 1")
    return Binary(
        lr=lr, epochs=epochs, batch=batch, optimizer=optimizer, momentum=momentum,
        weight_decay=weight_decay, schedule=schedule, freeze=freeze, freeze_stem=freeze_stem,
        dropout=dropout, resize=resize, crop=crop, shift=shift, flip=flip, normalise=normalise,
        precision=precision,
    )  # fmt: skip
