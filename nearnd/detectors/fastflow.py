"""FastFlow: a normalizing flow makes a standard normal of normal images' feature maps.

Yu et al. (2021), "FastFlow: Unsupervised Anomaly Detection and Localization via 2D Normalizing
Flows". The authors' code is not public; steps, loss and map are those of the two public ones
(gathierry/FastFlow, anomalib). Deviation: maps are normalised as a whole (`layer_norm`) without
trained weights, which those codes have for CNNs, but not in the likelihood.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nearnd.contracts import Embedding, Progress, silent
from nearnd.detectors._patches import BATCH, OnPatches, grown, kept
from nearnd.detectors._trained import Given, batched
from nearnd.files.header import BOOL, extended, number, several, whole
from nearnd.jobs.device import device
from nearnd.networks.batches import batch_rows, steps_per_epoch
from nearnd.networks.flow import Flow

NEEDS = ["backbone"]
EMBEDS = ["map"]
RANGES = {"hidden": (0.01, 10)}


def work(about, *, epochs: int, **rest) -> dict:
    """See contracts.py; the flows' own cost is not in it."""
    return {"embedded": epochs * about.images}


class Flows(nn.Module):
    """A frozen backbone, and a flow for each of its maps, of these widths."""

    def __init__(self, backbone: nn.Module, widths: list[int], steps: int, hidden, mixed: bool):
        super().__init__()
        self.backbone = backbone
        self.flows = nn.ModuleList(Flow(c, steps, hidden, mixed) for c in widths)

    def forward(self, maps: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """Of maps (n, C_i, h_i, w_i): the flows' outputs, of that shape, and log determinants."""
        return [
            flow(F.layer_norm(x, x.shape[1:])) for flow, x in zip(self.flows, maps, strict=True)
        ]


@dataclass
class FastFlow(OnPatches):
    """The defaults are those of the public code for a ResNet; `layers`, null: three of them, of a
    ResNet layer1 to layer3. Of a ViT name one, such as blocks.7 of a DeiT-B."""

    steps: int = 8  # 20 for a ViT
    hidden: float = 1.0  # channels in a step over those that it reads; 0.16 for a ViT
    mixed: bool = False  # every second step sees single places: the paper's for a ViT and WRN-50
    epochs: int = 500
    batch: int = 32
    lr: float = 1e-3  # Adam
    weight_decay: float = 1e-5

    FACTS = extended(
        OnPatches.FACTS, widths=several(whole()), steps=whole(most=1000), hidden=number(0.001, 100),
        mixed=BOOL,
    )  # fmt: skip
    normed = True
    usual = staticmethod(lambda known: known[-4:-1] or known)

    def learn(self, given: Given) -> None:
        """Maximises the likelihood of the normal images' maps."""
        model, n = self.open_maps(given), len(given.normal)
        maps = kept(self.maps_of(model), given.normal.pixels)
        widths = [m.shape[1] for m in maps(np.arange(1))]
        self.facts |= {"widths": widths, "steps": self.steps}
        self.facts |= {"hidden": self.hidden, "mixed": self.mixed}
        torch.manual_seed(given.seed)
        self.net = net = self.untrained(model).to(device())

        def loss(step: int) -> Tensor:
            found = net(maps(batch_rows(step, n, self.batch, given.seed)))
            return sum(negative_log(z, log_det).mean() for z, log_det in found)

        trained = [*net.flows.parameters()]
        optimizer = torch.optim.Adam(trained, self.lr, weight_decay=self.weight_decay)
        steps = self.epochs * steps_per_epoch(n, self.batch)
        given.train(net.flows, optimizer, loss, steps=steps)

    def untrained(self, model: nn.Module | None = None) -> Flows:
        facts = self.facts
        how = facts["widths"], facts["steps"], facts["hidden"], facts["mixed"]
        return Flows(self.trunk() if model is None else model, *how)

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """{"map": float32 (N, h, w)}: minus the density of each place in [-1, 0], see `surprise`,
        mean over the layers, on the grid of the first."""
        net = self.fitted("embed")
        maps_of = self.maps_of(net.backbone)

        def of(some: np.ndarray) -> list[Tensor]:
            found = [surprise(z) for z, _ in net(maps_of(some))]  # (n, 1, h_i, w_i)
            return [torch.cat(grown(found), 1).mean(1)]  # (n, h, w)

        return {"map": batched(of, pixels, progress, BATCH)[0]}


def negative_log(z: Tensor, log_det: Tensor) -> Tensor:
    """-log p (n,) of an input whose output is z (n, C, h, w), but for a constant."""
    return 0.5 * z.square().sum((1, 2, 3)) - log_det


def surprise(z: Tensor) -> Tensor:
    """-exp(-|z|^2 / 2 C) (n, 1, h, w) of the C channels at each place of z (n, C, h, w)."""
    return -torch.exp(-0.5 * z.square().mean(1, keepdim=True))


build = FastFlow
