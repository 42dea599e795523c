"""UNODE on a backbone, whose first part stays as it is for a while.

The released code's settings for WideResNet-50 and ResNet-18: conv1, bn1, layer1 and layer2 are
frozen for 100 of 1000 epochs, their batch norms alone follow; features have length 1 before the
heads. A backbone with `weights: none` is trained from scratch, with `freeze: 0`. Images are seen at
the backbone's own size. See `_unode.py`. Scores: `unode`.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from nearnd.contracts import Network
from nearnd.detectors._contrastive import work_in_looks
from nearnd.detectors._freeze import freeze_as
from nearnd.detectors._trained import Given
from nearnd.detectors._unode import Hardened, judged_of
from nearnd.files.header import BOOL, extended
from nearnd.networks import backbone as networks
from nearnd.networks.augment import GREY

NEEDS = ["backbone"]
VALUES_NEED = {"hard": {"outliers": "outliers", "mixup_outliers": "outliers"}}
EMBEDS = ["features", "projections", "hard_logits"]
RANGES = {
    "ensemble": (1, 10_000), "scale": (0.001, 1), "share": (0.001, 1), "most": (1, 100),
    "looked_at": (4, 1_000_000),
}  # fmt: skip


def work(about, *, epochs, batch, ensemble, hard, looked_at, **rest) -> dict:
    """See contracts.py. As if nothing were frozen."""
    net = about.backbone or Network(0.0, 0, 0)
    how = {"views": 4 if hard else 2, "looks": 1 + ensemble}
    judged = judged_of(about, hard, looked_at)
    return work_in_looks(about, net, **how, epochs=epochs, batch=batch) | judged


class Trunk(nn.Module):
    """A backbone, as the facts of its file describe it, for images (N, C, S, S) in [-1, 1] of any
    size and colours; features (N, D), of length 1 if `unit`."""

    def __init__(self, backbone: nn.Module, facts: dict, unit: bool):
        super().__init__()
        self.backbone, self.facts, self.unit = backbone, facts, unit
        self.num_features = networks.width(backbone)

    def forward(self, x: Tensor) -> Tensor:
        x, size = (x + 1) / 2, self.facts["size"]
        if x.shape[-1] != size:
            x = F.interpolate(x, (size, size), mode="bilinear", antialias=True)
        if x.shape[1] == 3 and self.facts["channels"] == 1:
            x = (x * x.new_tensor(GREY)[:, None, None]).sum(1, keepdim=True)
        x = x.expand(-1, self.facts["channels"], -1, -1)
        mean, std = (x.new_tensor(self.facts[k])[:, None, None] for k in ("mean", "std"))
        h = networks.features(self.backbone, (x - mean) / std)
        return F.normalize(h.float()) if self.unit else h


@dataclass
class Pretrained(Hardened):
    """See `Hardened`; the network is the entry's `backbone`."""

    freeze: list[str] | float | None = None  # modules by name, a share of the blocks (with the
    # stem), or null: conv1, bn1, layer1, layer2 of a ResNet, stem and half of any other network
    frozen_epochs: int = 100  # then all is trained
    unit: bool = True  # features of length 1

    FACTS = extended(Hardened.FACTS, backbone=networks.FACTS, unit=BOOL)

    def prepare(self, given: Given, **facts) -> None:
        if given.backbone is None:
            raise ValueError(
                f"{self.kind} needs a pretrained network: set `backbone` in the detector's entry"
            )
        model, of = networks.load_backbone(given.backbone)
        super().prepare(given, backbone=of, unit=self.unit, **facts)
        self.net.trunk.backbone.load_state_dict(model.state_dict())
        freeze_as(self.net.trunk.backbone, self.freeze)
        frozen = [p for p in self.net.trunk.backbone.parameters() if not p.requires_grad]
        self.frozen = frozen  # what `begin` switches; to the training loop all is trained
        for p in frozen:
            p.requires_grad_(True)

    def begin(self, epoch: int) -> None:
        for p in self.frozen:
            p.requires_grad_(epoch >= self.frozen_epochs)

    def trunk(self) -> Trunk:
        facts = self.facts["backbone"]
        return Trunk(networks.create(facts), facts, self.facts["unit"])

    def sees(self, x: Tensor) -> int:
        return self.facts["backbone"]["size"]

    def check_size(self, pixels) -> None:
        """Images of any size can be seen."""


build = Pretrained
