"""Mahalanobis distances to the nearest class in several layers, after a step of the input.

Lee et al., "A Simple Unified Framework for Detecting Out-of-Distribution Samples and Adversarial
Attacks", NeurIPS 2018, in full: mean maps of each stage of the network, one covariance for all
classes in each, and a step of the input towards the nearest class. Their weights of the layers and
their step are fitted on anomalies; here each layer counts the same, its distance divided by its
number of directions, and the step is a setting. One layer without step: score `class_mahalanobis`.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from nearnd.contracts import Embedding, Progress, silent
from nearnd.detectors._trained import Given, batched
from nearnd.detectors.classifier import LabelledClassifier, work  # noqa: F401 (of this kind too)
from nearnd.files.header import extended, several, whole
from nearnd.networks.transform import view

NEEDS = ["labels"]
EMBEDS = ["features", "logits", "layers", "mahalanobis"]
PREDICTS = "logits"
RANGES = {"percentile": (0, 100)}
SMALL = 1e-6  # of the largest variance: directions below are left out


class Layered(nn.Module):
    """A classifier, and for each layer l the classes' means after whitening, mean{l} (K, D_l), and
    the whitening matrix white{l} (D_l, D_l), in which directions that are left out are 0."""

    def __init__(self, classifier: nn.Module, classes: int, widths: list[int]):
        super().__init__()
        self.classifier = classifier
        for i, d in enumerate(widths):
            self.register_buffer(f"mean{i}", torch.zeros(classes, d))
            self.register_buffer(f"white{i}", torch.zeros(d, d))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(x)

    def distance(self, h: Tensor, layer: int) -> Tensor:
        """Squared distance (N,) of a layer's features (N, D) to the nearest class, divided by the
        number of directions."""
        mean, white = getattr(self, f"mean{layer}"), getattr(self, f"white{layer}")
        away = (h @ white)[:, None] - mean  # (N, K, D)
        directions = (white != 0).any(dim=0).sum().clamp(min=1)
        return away.square().sum(dim=2).amin(dim=1) / directions  # (N,)


@dataclass
class LayeredMahalanobis(LabelledClassifier):
    """A `classifier`, on its own wide network, with those distances of its three stages' ends and
    of its first convolution."""

    step: float = 0.0014  # of pixels in [0, 1]; one of the authors', who choose it on anomalies

    FACTS = extended(LabelledClassifier.FACTS, widths=several(whole()))

    def learn(self, given: Given) -> None:
        """The classifier; then means and covariances of its training images' layers."""
        if given.backbone is not None:
            raise ValueError(
                f"{self.kind} has layers of its own wide network: leave `backbone` out of the"
                " detector's entry"
            )
        labels = self.prepare(given)
        self.classify(given, labels)
        self.measure(given, labels)
        net, pixels = self.net.eval(), given.normal.pixels
        found = batched(lambda x: self.layers(net, x), pixels, silent)  # each (N, D)
        self.facts["widths"] = [h.shape[1] for h in found]
        self.net = layered = Layered(net, self.facts["classes"], self.facts["widths"]).to(self.on)
        for i, h in enumerate(found):
            mean, white = whitened(h, labels)
            getattr(layered, f"mean{i}").copy_(torch.from_numpy(mean))
            getattr(layered, f"white{i}").copy_(torch.from_numpy(white))

    @property
    def on(self) -> torch.device:
        return next(self.net.parameters()).device

    def layers(self, net: nn.Module, some: np.ndarray | Tensor) -> list[Tensor]:
        """The mean maps (N, D_l) after the first convolution and after each stage of images uint8
        (N, H, W, C), or of their normalised tensor."""
        x = view(some, self.how).to(self.on) if isinstance(some, np.ndarray) else some
        trunk, found = net.backbone, []
        for i, layer in enumerate(trunk.layers):
            x = layer(x)
            if i % trunk.per_stage == 0:
                found.append(x.mean((2, 3)))
        return found

    def untrained(self, trunk: nn.Module | None = None) -> nn.Module:
        net, widths = super().untrained(trunk), self.facts.get("widths")
        return Layered(net, self.facts["classes"], widths) if widths else net

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """float32 arrays: "features" (N, D), "logits" (N, K); "layers" (N, L), the distance in each
        layer after a step of the input for this layer; "mahalanobis" (N,), their mean."""
        net = self.fitted("embed")
        std = torch.tensor(self.how.std, device=self.on)[:, None, None]

        def of(some: np.ndarray) -> list[Tensor]:
            start = view(some, self.how).to(self.on)
            distances = []
            for i in range(len(self.facts["widths"])):
                x = start
                if self.step:
                    with torch.inference_mode(False):
                        x = start.clone().requires_grad_()
                        near = net.distance(self.layers(net.classifier, x)[i], i).sum()
                        (away,) = torch.autograd.grad(near, x)
                        x = x.detach() - self.step * away.sign() / std  # (n, C, H, W)
                distances.append(net.distance(self.layers(net.classifier, x)[i], i))
            return [torch.stack(distances, dim=1), net(start)]  # (n, L), (n, K)

        layers, logits = batched(of, pixels, progress)
        found = {"features": self.features_of(net.classifier.backbone, pixels), "logits": logits}
        return found | {"layers": layers, "mahalanobis": layers.mean(axis=1)}


def whitened(h: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of features (N, D) with classes 0..K-1: the classes' means after whitening float32 (K, D),
    and W (D, D), with W W' the pseudo-inverse of the covariance about these means."""
    h = h.astype(np.float64)
    mean = np.stack([h[labels == c].mean(axis=0) for c in range(labels.max() + 1)])  # (K, D)
    rest = h - mean[labels]
    value, vector = np.linalg.eigh(rest.T @ rest / len(h))  # (D,), (D, D)
    varies = value > SMALL * max(value[-1], 1e-30)
    white = np.where(varies, vector / np.sqrt(np.where(varies, value, 1)), 0)  # (D, D)
    return (mean @ white).astype(np.float32), white.astype(np.float32)


build = LayeredMahalanobis
