"""PANDA with outlier exposure: one logit on a backbone, normal images against outliers.

The variant of `panda` for when images of something else are at hand (80 Million Tiny Images in the
paper, withdrawn since). The paper's score is the logit. The defaults of `build` are those of the
authors' code.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nearnd.contracts import Embedding, Images, Progress, silent
from nearnd.detectors._tuned import Tuned, descend

NEEDS = ["backbone", "outliers"]
EMBEDS = ["features", "logit"]


def work(about, *, epochs: int, batch: int, freeze, **rest) -> dict:
    """See contracts.py."""
    saved = freeze if isinstance(freeze, float | int) else 0  # of names it is not known
    shown = epochs * (about.images + about.outliers)
    return {"shown": shown, "batch": batch, "passes": 3 - saved}


class PandaOE(Tuned):
    kind = "panda_oe"

    def fit(
        self, normal: Images, *, outliers: np.ndarray | None, backbone: Path | None, seed: int,
        folder: Path | None, progress: Progress = silent,
    ) -> None:  # fmt: skip
        """Trains on batches of half normal images (label 0), half outliers (label 1)."""
        import torch
        from torch.nn import functional as F

        from nearnd.jobs import device
        from nearnd.networks.backbone import Classifier
        from nearnd.networks.batches import batch_rows, steps_per_epoch
        from nearnd.networks.precision import autocast, dtype
        from nearnd.networks.transform import view

        if outliers is None or not len(outliers):
            raise ValueError("panda_oe needs outliers: set `outliers` in the detector's entry")
        o, n, batch = self.options, len(normal), self.options["batch"]
        model = self.open(backbone, normal)
        torch.manual_seed(seed)
        on = device.device()
        net = Classifier(model, 1).to(on)
        kind = dtype(net, on, o["precision"])
        y = torch.cat([torch.zeros(batch), torch.ones(batch)]).to(on)

        def loss(step: int):
            real = normal.pixels[batch_rows(step, n, batch, seed)]
            other = outliers[batch_rows(step, len(outliers), batch, seed + 1)]
            x = torch.cat([view(real, self.how), view(other, self.how)]).to(on)  # (2B, C, H, W)
            with autocast(on, kind):
                logit = net(x)[:, 0]  # (2B,)
            return F.binary_cross_entropy_with_logits(logit.float(), y)

        steps = o["epochs"] * steps_per_epoch(n, batch)
        descend(net, loss, o, steps=steps, seed=seed, folder=folder, progress=progress)
        self.net = net

    def embed(self, pixels: np.ndarray, progress: Progress = silent) -> Embedding:
        """{"features": float32 (N, D), "logit": float32 (N,)}: the logit is high for outliers."""
        from nearnd.detectors._vit import embed, fitted

        net = fitted(self.net, "embed")
        h = embed(net.backbone, pixels, self.how, self.options["precision"], progress)  # (N, D)
        w, b = (p.detach().cpu().numpy() for p in (net.head.weight, net.head.bias))
        return {"features": h, "logit": h @ w[0] + b[0]}  # (N, D), (N,)

    def save(self, path: Path) -> None:
        from nearnd.detectors._vit import fitted
        from nearnd.files.arrays import save_tensors
        from nearnd.networks.backbone import weights_of

        facts = {"detector": self.kind, "view": list(self.how), "backbone": self.facts}
        save_tensors(path, weights_of(fitted(self.net, "save")), **facts)

    def load(self, path: Path) -> None:
        from nearnd.files.arrays import load_tensors
        from nearnd.jobs import device
        from nearnd.networks.backbone import Classifier, create, put_weights
        from nearnd.networks.transform import View

        weights, facts = load_tensors(path)
        if facts.get("detector") != self.kind:
            raise ValueError(f"{path} is not the file of a `{self.kind}` detector")
        self.facts, self.how = facts["backbone"], View(*facts["view"])
        net = Classifier(create(self.facts), 1)
        put_weights(net, weights, path)
        self.net = net.to(device.device()).eval()


def build(
    epochs: int = 50,  # of the normal images
    lr: float = 1e-1,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    clip: float = 1e-3,  # of the global gradient norm
    batch: int = 32,  # normal images, and as many outliers
    freeze: list[str] | float | None = None,
    resize: int | None = None,
    crop: int | None = None,
    precision: str = "fp32",
) -> PandaOE:
    """Binary cross-entropy between normal images and outliers; `freeze`, `resize`, `crop` and
    `precision` as in `panda`."""
    return PandaOE(
        epochs=epochs, lr=lr, momentum=momentum, weight_decay=weight_decay, clip=clip,
        batch=batch, freeze=freeze, resize=resize, crop=crop, precision=precision,
    )  # fmt: skip
