"""Training against outlier exposure: RETH's losses, and batches half normal and half outliers.

Label y = 0 is normal, 1 an outlier. RETH: "Rethinking Assumptions in Deep Anomaly Detection", with
its official code.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nearnd.contracts import Embedding, Progress, silent
from nearnd.detectors._trained import Given, OnBackbone, batched
from nearnd.files.header import NULL, either, extended, one_of, whole
from nearnd.jobs.device import device
from nearnd.networks.backbone import Classifier, Features, width
from nearnd.networks.batches import batch_rows
from nearnd.networks.precision import exact
from nearnd.networks.schedules import tenths
from nearnd.networks.transform import view

BATCH = 256  # images embedded at a time
TINY = 1e-9  # the official code's, inside the logarithm and the fraction

LINEAR = ("bce", "focal")  # losses of a logit; the others are losses of a distance
LOSSES = (*LINEAR, "hsc", "sad")
RADIAL = ("pseudo_huber", "l1", "l2", "squared")


def work(about, *, epochs: int, batch: int, **rest) -> dict:
    """See contracts.py."""
    return {"shown": epochs * (about.images + about.outliers), "batch": batch}


class Exposed(nn.Module):
    """A network to codes z (N, code), and the anomaly value a (N,) that a loss is a function of.

    For bce and focal a is a linear function of z, a logit; for hsc the radial function h(z), for
    sad the squared distance |z|^2 to the origin. None of them saturates.
    """

    def __init__(self, network: nn.Module, code: int, loss: str, radial: str):
        super().__init__()
        self.network = network
        self.linear = nn.Linear(code, 1) if loss in LINEAR else None
        self.radial = "squared" if loss == "sad" else radial

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = self.network(x).float()  # (N, code)
        if self.linear is None:
            return z, distance(z, self.radial)
        return z, exact(self.linear, z)[:, 0]


def distance(z: Tensor, radial: str) -> Tensor:
    """h(z) of RETH's appendix: how far z (N, D) is from the origin, (N,)."""
    if radial == "l1":
        return z.abs().sum(1)
    if radial == "l2":
        return torch.linalg.vector_norm(z, dim=1)  # its gradient at the origin is 0, not NaN
    square = z.square().sum(1)  # (N,)
    return square if radial == "squared" else torch.sqrt(square + 1) - 1


def losses(a: Tensor, y: Tensor, loss: str, gamma: float = 2.0) -> Tensor:
    """The loss of each image (N,), from its anomaly value a (N,) and its label y (N,) in 0, 1."""
    if loss == "bce":
        return F.binary_cross_entropy_with_logits(a, y, reduction="none")
    if loss == "focal":
        from torchvision.ops import sigmoid_focal_loss  # torchvision takes a second to load

        return sigmoid_focal_loss(a, y, alpha=-1, gamma=gamma)  # alpha below 0: no weights
    if loss == "hsc":
        return torch.where(y == 1, -torch.log(TINY - torch.expm1(-a)), a)
    return torch.where(y == 1, 1 / (a + TINY), a)


def train_exposed(
    o, given: Given, loss: Callable[[Tensor, Tensor], Tensor], see: Callable, optimizer
) -> None:
    """Trains the detector's `o.net`: `o.epochs` passes over the normals, each of `o.batch` of them
    beside as many outliers, in one forward pass.

    `see` gives the network's input of uint8 images, changed by chance; `loss(x, y)` is what is made
    smaller. The learning rate falls to a tenth at each of `o.milestones` (epochs). Where a batch
    does not fit into an epoch it takes from the next one, so one of `epochs` can be cut short.
    """
    normals, outliers = given.pair(o.kind)
    n, batch = len(normals), o.batch
    on = next(o.net.parameters()).device
    y = torch.cat([torch.zeros(batch), torch.ones(batch)]).to(on)  # (2 batch,)

    def step_loss(step: int) -> Tensor:
        rows = batch_rows(step, n, batch, given.seed)
        others = outlier_rows(step, len(outliers), batch, given.seed)
        x = see(np.concatenate([normals[rows], outliers[others]])).to(on)
        return loss(x, y)

    steps, schedule = max(1, o.epochs * n // batch), tenths(o.milestones, n, batch)
    given.train(o.net, optimizer, step_loss, steps=steps, schedule=schedule)


def outlier_rows(step: int, m: int, batch: int, seed: int) -> np.ndarray:
    """Which of m outliers a step sees, (batch,): all of them before one comes again; if they are
    fewer than a batch, drawn with replacement. RETH's code draws so wherever there are fewer
    outliers than normal images."""
    if m < batch:
        return np.random.default_rng([seed, step]).integers(m, size=batch)
    return batch_rows(step, m, batch, seed + 1)  # another order than that of the normals


@dataclass
class ExposedBackbone(OnBackbone):
    """A fine-tuned backbone: a code for each image, and how anomalous it is.

    `code` is the width of a linear layer on the backbone, None for none. A kind adds
    `optimizer(parameters)`.
    """

    FACTS = extended(
        OnBackbone.FACTS, code=either(whole(), NULL), loss=one_of(*LOSSES), radial=one_of(*RADIAL)
    )

    def penalty(self, backbone: nn.Module) -> Callable[[], Tensor | float]:
        """What is added to the loss, from the backbone as it is before the first step."""
        return lambda: 0.0

    def learn(self, given: Given) -> None:
        """Trains the whole network on normal images (label 0) against outliers (label 1)."""
        given.pair(self.kind)
        model = self.open(given, shift=self.shift, flip=self.flip)
        self.facts |= {name: getattr(self, name) for name in ("code", "loss", "radial")}
        torch.manual_seed(given.seed)
        self.net = net = self.untrained(model).to(device()).train()
        run, penalty = self.in_precision(net), self.penalty(model)

        def loss(x: Tensor, y: Tensor) -> Tensor:
            a = run(x)[1].float()  # (N,)
            return losses(a, y, self.loss, self.gamma).mean() + penalty()

        see = partial(view, how=self.how, random=True)
        train_exposed(self, given, loss, see, self.optimizer(net.parameters()))

    def untrained(self, backbone: nn.Module | None = None) -> Exposed:
        backbone, code = backbone or self.bare(), self.facts["code"]
        inner = Features(backbone) if code is None else Classifier(backbone, code)
        code = code or width(backbone)
        return Exposed(inner, code, self.facts["loss"], self.facts["radial"])

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """{"features": the code z, float32 (N, D), "logit": float32 (N,), higher = more anomalous}:
        the logit of bce and focal, the distance of hsc and sad. Centre crop."""
        run, how = self.in_precision(self.fitted("embed")), self.how
        z, a = batched(lambda x: run(view(x, how)), pixels, progress, BATCH)
        return {"features": z, "logit": a}
