"""A classifier of the normal classes, for the scores that read its logits (post-hoc detection).

"A Unified Survey" (SURV) takes the classifiers of Hendrycks et al., "Deep Anomaly Detection with
Outlier Exposure", 2019, before they saw an outlier: WRN-40-2 with dropout 0.3, 100 epochs. The rest
of the recipe is that of their released code. Known differences: random crops repeat the border
(theirs pad with zeros), and pixels are normalised by the mean and deviation of the training images
(theirs by CIFAR-10's for CIFAR-100 too).
"""

from __future__ import annotations

import logging
import math
from pathlib import Path

import numpy as np

from nearnd.contracts import Embedding, Images, Progress, silent

NEEDS = ["labels"]
EMBEDS = ["features", "logits", "odin", "react"]


def work(about, *, depth: int, width: int, epochs: int, batch: int, **rest) -> dict:
    """See contracts.py."""
    from nearnd.networks import flops

    small = about.backbone or flops.wide_resnet(about.side, about.channels, depth, width)
    return {"network": small, "shown": epochs * about.images, "batch": batch}


log = logging.getLogger("nearnd")


class LabelledClassifier:
    """Detector (contracts.py): WRN, or a backbone where one is given, with a linear head."""

    def __init__(self, **options):
        self.options = options
        self.net = None

    def fit(
        self, normal: Images, *, outliers: np.ndarray | None = None,
        backbone: Path | None = None, seed: int, folder: Path | None,
        progress: Progress = silent,
    ) -> None:  # fmt: skip
        """Cross-entropy on the labels; then the value at which ReAct cuts features off."""
        import torch
        from torch.nn import functional as F

        from nearnd.detectors._posthoc import Trunk, normalisation
        from nearnd.detectors._vit import embed, view_of
        from nearnd.jobs import device
        from nearnd.jobs.training_loop import train
        from nearnd.networks.backbone import Classifier, load_backbone
        from nearnd.networks.batches import batch_rows, steps_per_epoch
        from nearnd.networks.precision import autocast, dtype
        from nearnd.networks.transform import view

        o, on = self.options, device.device()
        labels = _numbered(normal.labels)
        torch.manual_seed(seed)
        if backbone is None:
            self.facts = {"depth": o["depth"], "width": o["width"], "dropout": o["dropout"]}
            self.facts |= normalisation(normal.pixels)
            trunk = Trunk(self.facts)
        else:
            trunk, self.facts = load_backbone(backbone)
        self.how = view_of(self.facts, None, None, shift=o["shift"], flip=o["flip"])
        net = Classifier(trunk, labels.max() + 1).to(on)
        self.net, kind = net, dtype(net, on, o["precision"])

        n, batch = len(normal), o["batch"]
        steps = o["epochs"] * steps_per_epoch(n, batch)
        optimizer = torch.optim.SGD(
            net.parameters(), lr=o["lr"], momentum=o["momentum"], nesterov=o["momentum"] > 0,
            weight_decay=o["weight_decay"],
        )  # fmt: skip
        least = min(1.0, 1e-6 / o["lr"])  # the rate ends at 1e-6

        def schedule(step: int) -> float:
            return least + (1 - least) * (0.5 + 0.5 * math.cos(math.pi * step / steps))

        def loss(step: int):
            rows = batch_rows(step, n, batch, seed)
            x = view(normal.pixels[rows], self.how, random=True).to(on)
            with autocast(on, kind):
                logits = net(x)
            return F.cross_entropy(logits.float(), torch.from_numpy(labels[rows]).to(on))

        net.train()
        train(
            net, optimizer, loss, steps=steps, seed=seed, folder=folder, schedule=schedule,
            progress=progress,
        )  # fmt: skip
        h = embed(net.eval().backbone, normal.pixels, self.how, o["precision"])  # (N, D)
        self.clip = float(np.percentile(h, o["percentile"]))
        right = _logits(net, h).argmax(axis=1) == labels
        log.info(f"{right.mean():.4f} of the training images are classified correctly")

    def embed(self, pixels: np.ndarray, progress: Progress = silent) -> Embedding:
        """float32 arrays: "features" (N, D) before the head; "logits" (N, K), classes in the order
        of their labels; "react" (N, K), logits of the features cut off at the percentile of the
        training images' (Sun et al. 2021); "odin" (N,), 1 - max softmax at `temperature` after one
        step of size `eps` that makes the answer surer (Liang et al. 2018)."""
        from nearnd.detectors._posthoc import odin
        from nearnd.detectors._vit import embed, fitted

        net, o = fitted(self.net, "embed").eval(), self.options
        h = embed(net.backbone, pixels, self.how, o["precision"])  # (N, D)
        return {
            "features": h,
            "logits": _logits(net, h),
            "odin": odin(net, pixels, self.how, o["temperature"], o["eps"], progress),
            "react": _logits(net, np.minimum(h, self.clip)),
        }

    def save(self, path: Path) -> None:
        from nearnd.detectors._vit import fitted
        from nearnd.files.arrays import save_tensors
        from nearnd.networks.backbone import weights_of

        facts = {"detector": "classifier", "view": list(self.how), "network": self.facts}
        save_tensors(path, weights_of(fitted(self.net, "save")), **facts, clip=self.clip)

    def load(self, path: Path) -> None:
        from nearnd.detectors._posthoc import Trunk
        from nearnd.files.arrays import load_tensors
        from nearnd.jobs import device
        from nearnd.networks.backbone import Classifier, create, put_weights
        from nearnd.networks.transform import View

        weights, facts = load_tensors(path)
        if facts.get("detector") != "classifier":
            raise ValueError(f"{path} is not the file of a `classifier` detector")
        self.facts, self.how = facts["network"], View(*facts["view"])
        self.clip = facts["clip"]
        trunk = Trunk(self.facts) if "depth" in self.facts else create(self.facts)
        net = Classifier(trunk, len(weights["head.bias"]))
        put_weights(net, weights, path)
        self.net = net.to(device.device()).eval()


def _numbered(labels: np.ndarray) -> np.ndarray:
    """The labels as 0..K-1, in their order (`not-3` leaves a hole); ValueError for one class."""
    classes, numbers = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            "classifier: all normal images are of one class. MSP, MaxLogit, ODIN and Energy are"
            " undefined for one class; set `normals: all` or `each-not` in the experiment's entry"
        )
    return numbers


def _logits(net, h: np.ndarray) -> np.ndarray:
    """The head's answer float32 (N, K) to features (N, D)."""
    w, b = (p.detach().cpu().numpy() for p in (net.head.weight, net.head.bias))
    return h @ w.T + b  # (N, K)


def build(
    depth: int = 40,  # SURV; with `width` and `dropout` of no effect where there is a backbone
    width: int = 2,
    dropout: float = 0.3,
    epochs: int = 100,  # SURV; what follows, to `flip`, is Outlier Exposure's released code
    batch: int = 128,
    lr: float = 0.1,
    momentum: float = 0.9,  # Nesterov's
    weight_decay: float = 5e-4,
    shift: int = 4,
    flip: bool = True,  # not for digits and letters
    temperature: float = 1000.0,  # ODIN's
    eps: float = 0.0014,  # ODIN's, for pixels in [0, 1]; the authors choose it on anomalies
    percentile: float = 90.0,  # ReAct's, of all features of all training images
    precision: str = "auto",
) -> LabelledClassifier:
    """A classifier of the labelled normal images, trained with SGD and a cosine to 1e-6.

    From scratch, a wide residual network of `depth` (6n + 4) layers, or the `backbone` of the
    detector's entry, all of it trained (a smaller `lr` suits it). Training images are moved by up
    to `shift` pixels and mirrored half of the time if `flip`. `precision`: auto, fp32 or bf16;
    ODIN's step is computed in fp32 always. ValueError where there is only one class.
    """
    if depth < 10 or (depth - 4) % 6:
        raise ValueError(f"classifier: depth is {depth}, it must be 6n + 4: 10, 16, ..., 40")
    if temperature <= 0 or eps < 0:
        raise ValueError(
            f"classifier: temperature is {temperature}, above 0; eps is {eps}, not negative"
        )
    if not 0 < percentile <= 100:
        raise ValueError(f"classifier: percentile is {percentile}, it must be in (0, 100]")
    return LabelledClassifier(
        depth=depth, width=width, dropout=dropout, epochs=epochs, batch=batch, lr=lr,
        momentum=momentum, weight_decay=weight_decay, shift=shift, flip=flip,
        temperature=temperature, eps=eps, percentile=percentile, precision=precision,
    )  # fmt: skip
