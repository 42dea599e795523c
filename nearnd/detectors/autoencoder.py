"""NLN's AE: an autoencoder of the normal images, trained on cross-entropy of pixels."""

from dataclasses import dataclass

import torch.nn.functional as F

from nearnd.detectors._reconstruction import Reconstruction, Step, adam, work  # noqa: F401

NEEDS = []
EMBEDS = ["latent", "image", "decoded", "map"]


@dataclass
class Autoencoder(Reconstruction):
    """Moves the encoder and the decoder by the cross-entropy of pixels in [0, 1]."""

    def training(self, show) -> tuple[Step, dict]:
        net = self.net
        update, parts = adam(self.lr, net=net)

        def step(i: int) -> float:
            x = show(i)
            return update["net"](i, lambda: F.binary_cross_entropy_with_logits(net(x)[1], x))

        return step, parts | {"net": net}


build = Autoencoder
