"""A classifier whose dropout stays on when it answers, asked several times (MC-dropout).

Gal and Ghahramani, "Dropout as a Bayesian Approximation", ICML 2016. SURV averages the softmax; how
often it asks is not stated.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nearnd.contracts import Embedding, Progress, silent
from nearnd.detectors._trained import BATCH, Given, batched
from nearnd.detectors.classifier import LabelledClassifier, work  # noqa: F401 (of this kind too)
from nearnd.files.header import extended, whole
from nearnd.jobs.seeds import pixel_seeds
from nearnd.networks.dropout import dropping
from nearnd.networks.transform import view

NEEDS = ["labels"]
EMBEDS = ["features", "logits"]
PREDICTS = "logits"
RANGES = {"percentile": (0, 100), "passes": (1, 10_000), "dropout": (0.001, 0.999)}


@dataclass
class Dropped(LabelledClassifier):
    """A `classifier`, on its own wide network: one of timm's has no dropout that stays on."""

    passes: int = 10  # not the paper's

    FACTS = extended(LabelledClassifier.FACTS, passes=whole(1, 10_000))

    def learn(self, given: Given) -> None:
        """As of a `classifier`. ValueError with a backbone."""
        if given.backbone is not None:
            raise ValueError(
                f"{self.kind} drops values in its own wide network: leave `backbone` out of the"
                " detector's entry"
            )
        super().learn(given)

    def measure(self, given: Given, labels: np.ndarray) -> None:
        super().measure(given, labels)
        self.facts["passes"] = self.passes

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """float32 arrays: "features" (N, D), without dropout; "logits" (N, K), the logarithm of the
        softmax's mean over `passes`, in which image i's seed says what is dropped."""
        net = self.fitted("embed")
        seeds = pixel_seeds(pixels) if seeds is None else seeds
        run, how, n = self.in_precision(net), self.how, len(pixels)
        some = pixels if n else np.zeros((1, *pixels.shape[1:]), np.uint8)  # for the shape
        seeds = seeds if n else np.zeros(1, np.uint64)

        def of(rows: np.ndarray) -> list[Tensor]:
            x, log_p = view(some[rows], how), []
            for draw in range(self.facts["passes"]):
                with dropping(net, seeds[rows], draw):
                    log_p.append(run(x).double().log_softmax(dim=1))  # (n, K)
            return [torch.logsumexp(torch.stack(log_p), dim=0) - np.log(len(log_p))]

        (logits,) = batched(of, np.arange(len(some)), progress, BATCH)
        return {"features": self.features_of(net.backbone, pixels), "logits": logits[:n]}


build = Dropped
