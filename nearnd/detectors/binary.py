"""FITYMI: the backbone, fine-tuned to tell normal images from fakes (section 3, step 2).

The defaults are those of the official code.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from nearnd.contracts import Embedding, Progress, silent
from nearnd.detectors._freeze import freeze
from nearnd.detectors._trained import Given, Graph, OnBackbone, unit
from nearnd.detectors._views import Views
from nearnd.files.header import BOOL, extended, whole
from nearnd.jobs.device import device
from nearnd.networks.backbone import Features, features
from nearnd.networks.batches import batch_rows, steps_per_epoch
from nearnd.networks.dropout import Dropout
from nearnd.networks.micro_batch import MicroBatch
from nearnd.networks.schedules import cosine
from nearnd.networks.split import split
from nearnd.networks.transform import view
from nearnd.networks.viewed import Viewed

NEEDS = ["backbone", "outliers"]
EMBEDS = ["features", "logit"]
REAL, FAKE = 0, 1


def work(
    about, *, epochs: int, batch: int, freeze: float, freeze_stem: bool, views: int | None, **rest
) -> dict:
    """See contracts.py."""
    n = about.images + about.outliers
    saved = freeze * (2 if freeze_stem else 1)  # frozen weights have no gradient of their own
    if views:  # the frozen part embeds them, and is no part of a step
        saved = 3 * freeze
    embedded = freeze * n * (views or 0)
    return {"shown": epochs * n, "batch": batch, "passes": 3 - saved, "embedded": embedded}


@dataclass
class Binary(OnBackbone):
    """FITYMI's fine-tuning: a two-way classifier whose features are used."""

    lr: float = 4e-4  # 5e-3 for images of high resolution (README of the official code)
    epochs: int = 30  # of normal images and fakes together; 150 for images of high resolution
    batch: int = 16
    optimizer: Literal["sgd", "adamw"] = "sgd"
    momentum: float = 0.0
    weight_decay: float = 5e-5  # on every trained weight
    schedule: Literal["constant", "cosine"] = "constant"
    freeze: float = 0.5  # share of the blocks: the first six of twelve
    freeze_stem: bool = False  # else what comes before the blocks too, which ends the backward pass
    views: int | None = None  # with `freeze_stem`: of each image the frozen part computes so many
    # random views, once, and training sees one after the other; null: a new one in every epoch
    dropout: float = 0.1
    shift: int = 0  # training crops are moved by up to so many pixels
    flip: bool = True  # and mirrored half of the time
    normalise: bool = False  # features of length one

    FACTS = extended(OnBackbone.FACTS, classes=whole(2, 2), normalise=BOOL)

    def __post_init__(self):
        if self.views and not self.freeze_stem:
            raise ValueError(
                f"binary: views is {self.views}, but what stands before the blocks is trained and"
                " changes: set `freeze_stem: true` in the detector's entry, or `views: null`"
            )

    def learn(self, given: Given) -> None:
        """Trains on normal images (label 0) against outliers (label 1), shuffled together."""
        reals, fakes = given.pair("binary")
        model = self.open(given, shift=self.shift, flip=self.flip)
        self.facts |= {"classes": 2, "normalise": self.normalise}
        torch.manual_seed(given.seed)
        self.net = net = self.untrained(model).to(device())
        frozen = freeze(net.backbone, self.freeze, self.freeze_stem)
        parts = self.parts(net.backbone, frozen)
        for part in parts:
            add_dropout(part.backbone, self.dropout)
            train_mode(part)
        last = self.in_precision(nn.Sequential(parts[-1], net.head), whole=net)
        n, batch = len(reals) + len(fakes), self.batch
        steps = self.epochs * steps_per_epoch(n, batch)
        micro = MicroBatch(batch)  # in parts where the GPU's memory asks for it

        def new(rows: np.ndarray) -> Tensor:
            fake = rows >= len(reals)
            pixels = np.empty((len(rows), *reals.shape[1:]), np.uint8)
            pixels[~fake], pixels[fake] = reals[rows[~fake]], fakes[rows[fake] - len(reals)]
            return view(pixels, self.how, random=True)  # (B, C, S, S)

        if self.views:
            first = self.in_precision(parts[0], whole=net)
            kept = Views(lambda rows: first(new(rows)), n, self.views, given)

        def loss(step: int):
            rows = batch_rows(step, n, batch, given.seed)
            x = kept.of(rows, step) if self.views else new(rows)  # (B, ...)
            y = torch.from_numpy(np.where(rows < len(reals), REAL, FAKE))  # (B,)
            for part in micro.parts(batch):
                logits = last(x[part]).float()  # (b, 2)
                yield F.cross_entropy(logits, y[part].to(logits.device)) * (len(logits) / batch)

        schedule = cosine(steps) if self.schedule == "cosine" else None
        trained, decay = [p for p in net.parameters() if p.requires_grad], self.weight_decay
        if self.optimizer == "adamw":
            optimizer = torch.optim.AdamW(trained, self.lr, weight_decay=decay, fused=True)
        else:
            optimizer = torch.optim.SGD(trained, self.lr, self.momentum, weight_decay=decay)
        given.train(net, optimizer, loss, steps=steps, schedule=schedule, out_of_memory=micro.halve)

    def parts(self, backbone: nn.Module, frozen: int) -> tuple[nn.Module, ...]:
        """Networks in a row that share the backbone's weights: one, or with `views` what is frozen
        and the rest."""
        how, quick = self.how, self.without_norms(backbone)
        if not self.views:
            return (Features(quick),)
        return split(quick, frozen, (1, len(how.mean), how.crop, how.crop))

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """{"features": float32 (N, D), "logit": float32 (N,)}: features as in `frozen`, and the
        head's logit of fake minus that of real."""
        net = self.fitted("embed")
        h = self.features_of(net.backbone, pixels, progress)  # (N, D)
        w, b = (p.detach().cpu().numpy() for p in (net.head.weight, net.head.bias))
        logit = h @ (w[FAKE] - w[REAL]) + (b[FAKE] - b[REAL])  # (N,)
        h = unit(h) if self.facts["normalise"] else h
        return {"features": h, "logit": logit.astype(np.float32)}

    def graph(self, side: int) -> nn.Module:
        """See contracts.py."""
        net, normalise = self.fitted("graph"), self.facts["normalise"]

        def of(x: Tensor) -> dict[str, Tensor]:
            h = features(net.backbone, x)  # (n, D)
            logit = net.head(h)  # (n, 2)
            unit = h / h.norm(dim=1, keepdim=True).clamp(min=1e-12)
            return {
                "features": unit if normalise else h, "logit": logit[:, FAKE] - logit[:, REAL],
            }  # fmt: skip

        return Graph(Viewed(self.how, side), net, of)


def add_dropout(backbone: nn.Module, p: float) -> None:
    """Dropout where the official ViT has it: after the position embedding and after both linear
    layers of every MLP, none in the attention. Networks without such places stay as they are."""
    for name, module in list(backbone.named_modules()):
        place = name == "pos_drop" or name.endswith(("mlp.drop1", "mlp.drop2"))
        if place and isinstance(module, nn.Dropout):
            backbone.set_submodule(name, Dropout(p))


def train_mode(net: nn.Module) -> None:
    """Training mode, frozen dropout included (FITYMI trap C10), but for batch norms."""
    net.train()
    for module in net.modules():
        # What is embedded later comes alone, with the statistics of the pretraining; those of a
        # batch are of few images, and mix reals and fakes, which by them alone could be told apart
        if isinstance(module, _BatchNorm):
            module.eval()


build = Binary
