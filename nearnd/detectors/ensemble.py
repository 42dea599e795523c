"""Several classifiers with seeds of their own, whose answers are averaged (deep ensemble).

Lakshminarayanan et al., "Simple and Scalable Predictive Uncertainty Estimation using Deep
Ensembles", NeurIPS 2017, without their adversarial training. SURV averages the softmax of three
classifiers.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from nearnd.contracts import Embedding, Progress, silent
from nearnd.detectors._trained import Given
from nearnd.detectors.classifier import LabelledClassifier
from nearnd.detectors.classifier import work as plain
from nearnd.files.header import extended, whole
from nearnd.jobs.training_loop import stages, step_seed
from nearnd.networks.batches import steps_per_epoch

NEEDS = ["labels"]
EMBEDS = ["logits"]
PREDICTS = "logits"
RANGES = {"percentile": (0, 100), "members": (1, 1000)}


def work(about, *, epochs: int, members: int, **rest) -> dict:
    """See contracts.py."""
    return plain(about, epochs=epochs * members, **rest)


@dataclass
class Ensemble(LabelledClassifier):
    """So many of a `classifier`."""

    members: int = 3  # SURV

    FACTS = extended(LabelledClassifier.FACTS, members=whole(1, 1000))

    def learn(self, given: Given) -> None:
        """One member after the other."""
        steps = self.epochs * steps_per_epoch(len(given.normal), self.batch)
        counts = {f"member{m}": steps for m in range(self.members)}
        nets = []
        for m, stage in enumerate(stages(given.folder, given.progress, **counts)):
            own = given._replace(seed=step_seed(given.seed, m))
            labels = super().prepare(own)
            self.classify(own, labels, **stage)
            nets.append(self.net)
        self.net = nn.ModuleList(nets)
        self.facts |= {"members": self.members, "clip": 0.0}

    def untrained(self, trunk: nn.Module | None = None) -> nn.Module:
        """A member, or all of them once their number is a fact."""
        one = super().untrained
        members = self.facts.get("members")
        return nn.ModuleList(one() for _ in range(members)) if members else one(trunk)

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """{"logits": float32 (N, K), the logarithm of the members' mean softmax}."""
        log_p = []
        for net in self.fitted("embed"):
            h = self.features_of(net.backbone, pixels, progress)  # (N, D)
            with torch.no_grad():
                f = torch.from_numpy(h).to(net.head.weight) @ net.head.weight.T + net.head.bias
            log_p.append(f.double().log_softmax(dim=1).cpu())  # (N, K)
        return {"logits": mean_log_softmax(torch.stack(log_p)).numpy()}


def mean_log_softmax(log_p: torch.Tensor) -> torch.Tensor:
    """log of the mean over the first axis of exp(log_p), (M, N, K) to float32 (N, K)."""
    return (torch.logsumexp(log_p, dim=0) - np.log(len(log_p))).float()


build = Ensemble
