"""NLN's AAE: an autoencoder whose codes a critic cannot tell from normal random numbers.

Makhzani et al., "Adversarial Autoencoders". In the released code the critic's logits are taken for
probabilities.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from nearnd.detectors._reconstruction import Reconstruction, Step, adam, work  # noqa: F401
from nearnd.jobs.device import device
from nearnd.networks.reconstruction import critic_of_codes, said, told_apart

NEEDS = []
EMBEDS = ["latent", "image", "decoded", "map"]


@dataclass
class AAE(Reconstruction):
    """Each step moves the autoencoder by the cross-entropy of pixels, the critic by what it says of
    normal random numbers and of codes, and the encoder by how real its codes are to the critic."""

    lr: float = 1e-5  # of all three: 300 updates for a class of MNIST, which is hardly a training

    def training(self, show) -> tuple[Step, dict]:
        net, critic = self.net, critic_of_codes(self.code).to(device())
        update, parts = adam(self.lr, net=net, critic=critic, encoder=net.encoder)

        def step(i: int) -> dict[str, float]:
            x = show(i)
            rebuilt = update["net"](i, lambda: F.binary_cross_entropy_with_logits(net(x)[1], x))

            def tell():
                z = net.encoder(x).detach()
                return told_apart(critic(torch.randn_like(z)), critic(z))

            told = update["critic"](i, tell)
            fooled = update["encoder"](i, lambda: said(critic(net.encoder(x)), True))
            return {"rebuilt": rebuilt, "critic": told, "encoder": fooled}

        return step, parts | {"net": net, "critic": critic}


build = AAE
