"""MemAE: an autoencoder that may rebuild an image of a few remembered codes only.

Gong et al. (2019), "Memorizing Normality to Detect Anomaly: Memory-augmented Deep Autoencoder".
Items, entropy weight, rate and batch are the paper's for MNIST, the networks NLN's, of the same
kind and size.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from nearnd.detectors._reconstruction import Pair, Reconstruction, Step, adam, work  # noqa: F401
from nearnd.files.header import extended, number, whole
from nearnd.networks.memory import Memory, entropy_of, largest
from nearnd.networks.reconstruction import Decoder, encoder

NEEDS = []
EMBEDS = ["latent", "image", "decoded", "map"]
RANGES = {"items": (2, 1_000_000), "shrink": (0.0, 0.5)}


class Remembering(Pair):
    """A pair whose decoder sees what the memory makes of a code; codes are the encoder's."""

    def mixed(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Codes (N, L), logits of reconstructions (N, C, S, S), and the weights of the items."""
        z = self.coded(x)
        mixture, w = self.more["memory"](z)
        return z, self.decoder(mixture), w

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.mixed(x)[:2]


@dataclass
class MemAE(Reconstruction):
    """Moves encoder, decoder and memory by the squared error of an image, summed over its pixels,
    and by the entropy of the weights."""

    items: int = 100  # N; 500 of CIFAR-10
    shrink: float | None = None  # lambda; null: 1 / N; the paper takes up to three times that
    entropy: float = 2e-4  # alpha
    batch: int = 64
    lr: float = 1e-4

    FACTS = extended(Reconstruction.FACTS, items=whole(2), shrink=number(0, 1))
    kept = (*Reconstruction.kept, "items", "shrink")

    def __post_init__(self) -> None:
        if self.shrink is None:
            self.shrink = 1 / self.items
        if self.shrink >= (most := largest(self.items)):
            raise ValueError(
                f"shrink is {self.shrink}; it may be below {most:.3g}, the largest weight that one"
                f" of {self.items} items can have, or null: 1 / items"
            )

    def untrained(self) -> Pair:
        memory: nn.Module = Memory(self.facts["items"], self.facts["code"], self.facts["shrink"])
        return Remembering(encoder(*self.sizes()), Decoder(*self.sizes()), memory=memory)

    def training(self, show) -> tuple[Step, dict]:
        net = self.net
        update, parts = adam(self.lr, net=net)

        def step(i: int) -> float:
            x = show(i)

            def loss() -> Tensor:
                _, logits, w = net.mixed(x)
                error = F.mse_loss(logits.sigmoid(), x, reduction="sum") / len(x)
                return error + self.entropy * entropy_of(w)

            return update["net"](i, loss)

        return step, parts | {"net": net}


build = MemAE
