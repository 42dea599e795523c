"""What the detectors share that fine-tune a backbone against outlier exposure."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from nearnd.contracts import Embedding, Images, Progress, silent
from nearnd.detectors import _exposed
from nearnd.detectors._vit import as_path, fitted, view_of
from nearnd.files.arrays import load_tensors, save_tensors
from nearnd.jobs import device
from nearnd.networks.backbone import (
    Classifier,
    create,
    features,
    load_backbone,
    put_weights,
    weights_of,
)
from nearnd.networks.precision import autocast, dtype
from nearnd.networks.transform import View, view

Penalty = Callable[[], Tensor | float]


class Features(nn.Module):
    """The features of a backbone."""

    def __init__(self, backbone: nn.Module):
        super().__init__()
        self.backbone = backbone

    def forward(self, x: Tensor) -> Tensor:
        return features(self.backbone, x)  # (N, D)


class OnBackbone:
    """Detector (contracts.py): a code for each image, and how anomalous it is.

    `code` of the options is the width of a linear layer on the backbone, None for none. The kind
    `who` gives the optimizer of the network's parameters, and what is added to the loss, made from
    the backbone before the first step.
    """

    def __init__(
        self,
        who: str,
        optimizer: Callable[..., torch.optim.Optimizer],
        penalty: Callable[[nn.Module], Penalty] = lambda backbone: lambda: 0.0,
        **options,
    ):
        self.who, self.options = who, options
        self.optimizer, self.penalty = optimizer, penalty
        self.net = None

    def fit(
        self, normal: Images, *, outliers: np.ndarray | None, backbone: Path | None, seed: int,
        folder: Path | None, progress: Progress = silent,
    ) -> None:  # fmt: skip
        """Trains the whole network on normal images (label 0) against outliers (label 1)."""
        o, on = self.options, device.device()
        reals, others = _exposed.pair(self.who, normal, outliers)
        model, self.facts = load_backbone(as_path(backbone, self.who))
        self.how = view_of(self.facts, o["resize"], o["crop"], shift=o["shift"], flip=o["flip"])
        torch.manual_seed(seed)
        net = self.net = _network(model, o).to(on).train()
        kind, penalty = dtype(net, on, o["precision"]), self.penalty(model)

        def loss(x: Tensor, y: Tensor) -> Tensor:
            with autocast(on, kind):
                a = net(x)[1]  # (N,)
            return _exposed.losses(a.float(), y, o["loss"], o["gamma"]).mean() + penalty()

        _exposed.train_exposed(
            net, loss, partial(view, how=self.how, random=True), reals, others,
            self.optimizer(net.parameters()), epochs=o["epochs"], milestones=o["milestones"],
            batch=o["batch"], seed=seed, folder=folder, progress=progress,
        )  # fmt: skip
        net.eval()

    def embed(self, pixels: np.ndarray, progress: Progress = silent) -> Embedding:
        """{"features": the code z, float32 (N, D), "logit": float32 (N,), higher = more anomalous}:
        the logit of bce and focal, the distance of hsc and sad. Centre crop."""
        net = fitted(self.net, "embed")
        on = next(net.parameters()).device
        with autocast(on, dtype(net, on, self.options["precision"])):
            return _exposed.embed_exposed(net, partial(view, how=self.how), pixels, progress)

    def save(self, path: Path) -> None:
        facts = {"detector": self.who, "view": list(self.how), "backbone": self.facts}
        facts |= {name: self.options[name] for name in ("code", "loss", "radial")}
        save_tensors(path, weights_of(fitted(self.net, "save")), **facts)

    def load(self, path: Path) -> None:
        weights, facts = load_tensors(path)
        if facts.get("detector") != self.who:
            raise ValueError(f"{path} is not the file of a detector of kind {self.who}")
        self.facts, self.how = facts["backbone"], View(*facts["view"])
        net = _network(create(self.facts), facts)
        put_weights(net, weights, path)
        self.net = net.to(device.device()).eval()


def _network(backbone: nn.Module, o: dict) -> _exposed.Exposed:
    """The backbone, a linear layer if the code has a width of its own, the loss's anomaly value."""
    inner = Features(backbone) if o["code"] is None else Classifier(backbone, o["code"])
    return _exposed.Exposed(inner, o["code"] or backbone.num_features, o["loss"], o["radial"])
