"""A frozen network and a head that tells normal images from fakes.

FITYMI's question put to features that stay as they are: what a fake is worth shows without the
minutes of fine-tuning.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from nearnd.contracts import Embedding, Progress, silent
from nearnd.detectors._trained import Given, OnBackbone
from nearnd.jobs.device import device
from nearnd.jobs.quadratic_head import QuadraticHead, learnt
from nearnd.networks import backbone as networks

NEEDS = ["backbone", "outliers"]
EMBEDS = ["features", "logit"]
RANGES = {"strength": (1e-6, 1e6)}


def work(about, **rest) -> dict:
    """See contracts.py. The head is small beside a backbone."""
    return {"embedded": about.images + about.outliers}


class Probed(nn.Module):
    """A frozen network, and the weights of a `QuadraticHead`."""

    def __init__(self, backbone: nn.Module):
        super().__init__()
        self.backbone, d = backbone, networks.width(backbone)
        for name, shape in zip(QuadraticHead._fields, [d, (d, d), d, d, 1], strict=True):
            self.register_buffer(name, torch.zeros(shape))

    def head(self) -> QuadraticHead:
        return QuadraticHead(*(getattr(self, name).cpu().numpy() for name in QuadraticHead._fields))


@dataclass
class Probe(OnBackbone):
    """Features are computed once, of images in the middle of their frame."""

    strength: float = 1.0  # of the fit: scikit-learn's C

    def learn(self, given: Given) -> None:
        """Trains the head on normal images against outliers."""
        reals, fakes = given.pair(self.kind)
        model = self.open(given).to(device())
        h = [self.features_of(model, pixels, given.progress) for pixels in (reals, fakes)]
        head = learnt(*h, strength=self.strength)
        self.net = self.untrained(model).to(device())
        for name, weights in head._asdict().items():
            getattr(self.net, name).copy_(torch.from_numpy(weights))

    def untrained(self, model: nn.Module | None = None) -> Probed:
        return Probed(self.bare() if model is None else model)

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """{"features": float32 (N, D), "logit": float32 (N,)}: features as in `frozen`, and the
        head's logit of fake minus that of real."""
        net = self.fitted("embed")
        h = self.features_of(net.backbone, pixels, progress)  # (N, D)
        return {"features": h, "logit": net.head().logit(h).astype(np.float32)}


build = Probe
