"""DenseFlow: a normalizing flow whose maps grow by noise (networks/dense_flow.py).

Grcić, Grubišić and Šegvić (NeurIPS 2021), "Densely connected normalizing flows".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nearnd.contracts import Plan
from nearnd.generators._latent import (  # noqa: F401 - see contracts.py
    Latent,
    Noise,
    snapshots,
    training_steps,
)

if TYPE_CHECKING:
    from torch import nn

LABEL = "DenseFlow"
FACTS = {"bits_per_dim": "bits per dimension"}
RANGES = {
    "units": (1, 1000), "modules": (1, 1000), "growth": (1, 10_000), "layer_growth": (1, 10_000),
    "variational": (1, 10_000), "decay": (1e-6, 1),
}  # fmt: skip
# what the contract tests train
TOY = {
    "units": [2, 1], "modules": [1, 1], "growth": 2, "width": 4, "layers": 1, "layer_growth": 4,
    "variational": None, "batch": 8, "warmup": 4, "last_steps": 3, "steps": 12,
    "snapshots": [6, 12],
}  # fmt: skip


def work(about, **arguments: Any) -> dict[str, Any]:
    """See contracts.py."""
    from nearnd.networks import flops

    model = build(**arguments)
    return {"network": flops.flow(model.network(about.side, about.channels)), "plan": model.plan()}


def check(**arguments: Any) -> None:
    """ValueError if an entry cannot work; for the check of a config, without torch."""
    build(**arguments)


@dataclass(kw_only=True)
class DenseFlow(Latent):
    """The defaults are DenseFlow-74-10, as published for CIFAR-10.

    Deviations: the rate falls as the paper says, where in the authors' code its warm-up sets it
    again at every step; see also networks/dense_block.py. A training step sees one noise of each
    image; so do the bits per dimension, which are therefore an upper bound of what the paper
    counts from 1,000.
    """

    units: Sequence[int] = (6, 4, 1)  # of each level; images are halved before each
    modules: Sequence[int] = (5, 6, 20)  # Glow's steps in each unit of a level
    growth: int = 10  # channels of noise that a unit adds
    width: int = 48  # of the couplings' networks
    layers: int = 7  # of their dense blocks
    layer_growth: int = 64  # channels that such a layer adds
    # width, layers and growth of the networks of a dequantisation that sees the image; None: it is
    # uniform
    variational: Sequence[int] | None = (64, 4, 64)
    lr: float = 1e-3  # Adamax
    warmup: int = 5000  # steps
    decay: float = 0.367  # of the rate, up to the last steps: 0.9975 for each of 400 epochs
    last_steps: int = 15_640  # 20 epochs of
    last_lr: float = 2e-5
    clip: float | None = None  # largest gradient norm
    shift: int = 1  # pixels that an image is moved by at the most, in training
    batch: int = 64
    micro_batch: int | None = None  # images of it in memory at a time, halved where a GPU has less
    steps: int = 328_440  # 420 epochs
    snapshots: int | Sequence[int] = 40

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.units or len(self.units) != len(self.modules):
            raise ValueError(
                f"units is {list(self.units)}, modules {list(self.modules)}: both say something of"
                " each level: lists of the same length, which are not empty"
            )
        if self.variational is not None and len(self.variational) != 3:
            raise ValueError(
                f"variational is {list(self.variational)}; it may be three numbers, width, layers"
                " and growth, or null: a uniform dequantisation"
            )
        if self.last_steps >= self.steps:
            raise ValueError(
                f"last_steps is {self.last_steps}; it may be a number below steps: {self.steps}"
            )

    def plan(self) -> Plan:
        """See the contract; for each image that is drawn the probability of one is taken too."""
        return super().plan()._replace(calls=2)

    def network(self, size: int, channels: int) -> dict[str, Any]:
        """See Latent."""
        if size % 2 ** len(self.units):
            raise ValueError(
                f"images of {size} pixels cannot be halved {len(self.units)} times, once for each"
                f" level of units: {list(self.units)}; take fewer levels (units and modules of the"
                " generator) or another size (datasets)"
            )
        return {
            "size": size, "channels": channels, "units": list(self.units),
            "modules": list(self.modules), "growth": self.growth, "width": self.width,
            "layers": self.layers, "layer_growth": self.layer_growth,
            "variational": self.variational and list(self.variational),
        }  # fmt: skip

    @staticmethod
    def bare(**network: Any) -> "nn.Module":
        """See Latent."""
        from nearnd.networks.dense_flow import DenseFlow

        return DenseFlow(**network)

    def training(self, network: dict[str, Any], show, dev):
        """See Latent."""
        from nearnd.generators._flow_training import training

        return training(self, network, show, dev)

    def draw(self, net: "nn.Module", noise: Noise):
        """See Latent."""
        return 2 * net.images(noise(net.latent)) - 1

    def facts(self, snapshot: Path, pixels: np.ndarray) -> dict[str, float]:
        """See the contract."""
        from nearnd.generators._flow_training import bits_per_dim

        return {"bits_per_dim": bits_per_dim(self, snapshot, pixels)}


build = DenseFlow
