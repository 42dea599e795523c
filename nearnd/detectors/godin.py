"""Generalised ODIN: a classifier whose logits are a similarity h over a learnt doubt g.

Hsu et al., "Generalized ODIN: Detecting Out-of-distribution Image without Learning from
Out-of-distribution Data", CVPR 2020. f_k = h_k / g; the score is -max_k h_k after a step of the
input that makes it larger, of the size for which held-out normal images have the largest max h: no
anomaly is asked. Recipe, without dropout, and the weights of h not decayed: the paper's. Not said
there, and ours: a cosine in place of two drops of the rate, as for the other classifiers.
"""

import logging
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nearnd.contracts import Embedding, Progress, silent
from nearnd.detectors._trained import Given, batched
from nearnd.detectors.classifier import LabelledClassifier, work  # noqa: F401 (of this kind too)
from nearnd.files.header import extended, number, one_of
from nearnd.networks.backbone import features, width
from nearnd.networks.transform import view

NEEDS = ["labels"]
EMBEDS = ["features", "logits", "h", "g", "godin"]
PREDICTS = "logits"
RANGES = {"percentile": (0, 100), "held_out": (0.001, 0.9), "batch": (2, 1_000_000)}
STEPS = (0.0, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08)  # of a pixel in [0, 1]; the paper's, and none
SIMILARITY = ("cosine", "euclid", "inner")
log = logging.getLogger("nearnd")


class Divided(nn.Module):
    """A backbone, and h and g on its features (N, D)."""

    def __init__(self, backbone: nn.Module, classes: int, similarity: str):
        super().__init__()
        self.backbone, self.similarity = backbone, similarity
        self.h = nn.Linear(width(backbone), classes, bias=similarity == "inner")
        nn.init.kaiming_normal_(self.h.weight, nonlinearity="relu")
        self.g = nn.Sequential(nn.Linear(width(backbone), 1), nn.BatchNorm1d(1), nn.Sigmoid())

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """h (N, K) and g (N, 1) of normalised images, g in (0, 1)."""
        z, w = features(self.backbone, x).float(), self.h.weight  # (N, D), (K, D)
        if self.similarity == "cosine":
            h = F.normalize(z, dim=1) @ F.normalize(w, dim=1).T
        elif self.similarity == "euclid":
            h = -torch.cdist(z, w).square() / z.shape[1]
        else:
            h = self.h(z)
        return h, self.g(z)

    def forward(self, x: Tensor) -> Tensor:
        h, g = self.parts(x)
        return h / g  # (N, K)


@dataclass
class Godin(LabelledClassifier):
    """A `classifier` with that head."""

    similarity: Literal["cosine", "euclid", "inner"] = "cosine"  # DeConf-C, the paper's best
    dropout: float = 0.0
    batch: int = 64
    weight_decay: float = 1e-4
    epochs: int = 200
    held_out: float = 0.1  # of each class, on which the step is chosen and nothing is trained

    FACTS = extended(LabelledClassifier.FACTS, similarity=one_of(*SIMILARITY), step=number(0, 1))

    def learn(self, given: Given) -> None:
        """Cross-entropy of h / g; then the step. ValueError where there is only one class."""
        held = held_out(given.normal.labels, self.held_out, given.seed)
        part = given._replace(normal=given.normal.rows(np.flatnonzero(~held)))
        labels = self.prepare(part)
        self.facts |= {"similarity": self.similarity, "clip": 0.0}
        self.classify(part, labels)
        self.net.eval()
        pixels = given.normal.pixels[held] if held.any() else part.normal.pixels
        sums = {step: -float(self.stepped(pixels, step).sum()) for step in STEPS}
        self.facts["step"] = max(sums, key=sums.get)
        log.info(f"step of the input: {self.facts['step']:g}, chosen on {len(pixels)} images")

    def untrained(self, trunk: nn.Module | None = None) -> Divided:
        similarity = self.facts.get("similarity", self.similarity)
        return Divided(self.bare() if trunk is None else trunk, self.facts["classes"], similarity)

    def groups(self) -> list[dict]:
        own = list(self.net.h.parameters())
        known = {id(p) for p in own}
        rest = [p for p in self.net.parameters() if id(p) not in known]
        return [{"params": rest}, {"params": own, "weight_decay": 0.0}]

    def stepped(self, pixels: np.ndarray, step: float, progress: Progress = silent) -> np.ndarray:
        """-max_k h_k float32 (N,) of uint8 (N, H, W, C) moved by `step` to where h is larger."""
        net, how = self.fitted("embed"), self.how
        on = net.h.weight.device
        std = torch.tensor(how.std, device=on)[:, None, None]

        def of(some: np.ndarray) -> list[Tensor]:
            x = view(some, how).to(on)
            if step:
                with torch.inference_mode(False):
                    x = x.clone().requires_grad_()
                    (up,) = torch.autograd.grad(net.parts(x)[0].amax(dim=1).sum(), x)
                    x = x.detach() + step * up.sign() / std  # (n, C, H, W)
            return [-net.parts(x)[0].amax(dim=1)]  # (n,)

        return batched(of, pixels, progress)[0]

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """float32 arrays: "features" (N, D); "h" (N, K) and "g" (N,), without the step; "logits"
        (N, K), h / g; "godin" (N,), -max h after the step."""
        net, how = self.fitted("embed"), self.how
        on = net.h.weight.device

        def of(some: np.ndarray) -> list[Tensor]:
            h, g = net.parts(view(some, how).to(on))
            return [h / g, h, g[:, 0]]

        logits, h, g = batched(of, pixels, silent)
        found = {"features": self.features_of(net.backbone, pixels), "logits": logits}
        return found | {"h": h, "g": g, "godin": self.stepped(pixels, self.facts["step"], progress)}


def held_out(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Which images are held out, bool (N,): `share` of each class, rounded down."""
    held = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        rows = np.random.default_rng([seed, int(label)]).permutation(
            np.flatnonzero(labels == label)
        )
        held[rows[: int(share * len(rows))]] = True
    return held


build = Godin
