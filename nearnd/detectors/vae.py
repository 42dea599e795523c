"""NLN's VAE: a variational autoencoder; the code of an image is its posterior mean.

In the released code the codes that are compared come from a layer that this loss never trains, and
reconstructions are drawn by chance; neither is so here.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from nearnd.detectors._reconstruction import Pair, Reconstruction, Step, adam, work  # noqa: F401
from nearnd.networks.reconstruction import Decoder, Variational
from nearnd.networks.variational import from_normal

NEEDS = []
EMBEDS = ["latent", "image", "decoded", "map"]


class Posterior(Pair):
    """A pair whose code is the mean."""

    def coded(self, x: Tensor) -> Tensor:
        return self.encoder(x)[0]


@dataclass
class VAE(Reconstruction):
    """Moves the encoder and the decoder by the evidence lower bound of Bernoulli pixels."""

    weight: float = 1024.0  # of the mean cross-entropy of a pixel; the authors' 32 * 32, of images
    # of 28 pixels too. The number of an image's pixels and channels makes it the bound itself

    def untrained(self) -> Pair:
        return Posterior(Variational(*self.sizes()), Decoder(*self.sizes()))

    def training(self, show) -> tuple[Step, dict]:
        net = self.net
        update, parts = adam(self.lr, net=net)

        def step(i: int) -> float:
            x = show(i)

            def loss() -> Tensor:
                mean, log_variance = net.encoder(x)
                z = mean + (log_variance / 2).exp() * torch.randn_like(mean)  # (B, L)
                error = F.binary_cross_entropy_with_logits(net.decoder(z), x)
                return self.weight * error + from_normal(mean, log_variance).mean()

            return update["net"](i, loss)

        return step, parts | {"net": net}


build = VAE
