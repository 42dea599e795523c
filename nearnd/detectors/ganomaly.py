"""GANomaly: how far the code of an image and that of its reconstruction are apart.

Akcay, Atapour-Abarghouei and Breckon (2018), "GANomaly: Semi-Supervised Anomaly Detection via
Adversarial Training". Weights, rates and epochs are those of the authors' code, the networks NLN's
for images of 28 and 32 pixels, which are smaller. From `ae_consistent`, NLN's after this one, it
differs in its adversarial loss, which matches the critic's vectors, and in one step for all three
networks that draw.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from nearnd.detectors._reconstruction import Pair, Reconstruction, Step, adam, work  # noqa: F401
from nearnd.jobs.device import device
from nearnd.networks.reconstruction import Critic, Decoder, encoder, told_apart

NEEDS = []
EMBEDS = ["latent", "image", "decoded", "map", "apart"]
BETAS = (0.5, 0.999)  # Adam's


@dataclass
class GANomaly(Reconstruction):
    """Each step moves the critic by what it says of images and of their reconstructions, then both
    encoders and the decoder by the three losses together.

    Embeds also "apart" (N,), the mean squared difference of the two codes.
    """

    code: int = 100
    epochs: int = 15
    batch: int = 64
    lr: float = 2e-4
    weights: tuple[float, float, float] = (
        1,
        50,
        1,
    )  # of the critic's vectors, the pixels, the codes

    named = EMBEDS

    def untrained(self) -> Pair:
        sizes = self.sizes()
        return Pair(encoder(*sizes), Decoder(*sizes), again=encoder(*sizes))

    def besides(self, x: Tensor, z: Tensor, y: Tensor) -> list[Tensor]:
        return [(self.net.more["again"](y) - z).square().mean(1)]

    def training(self, show) -> tuple[Step, dict]:
        net, again = self.net, self.net.more["again"]
        critic = Critic(*self.sizes()).to(device())
        update, parts = adam(self.lr, BETAS, net=net, critic=critic)

        def step(i: int) -> dict[str, float]:
            x = show(i)

            def tell() -> Tensor:
                return told_apart(critic(x)[1], critic(net(x)[1].sigmoid().detach())[1])

            def all_three() -> Tensor:
                z, logits = net(x)
                y = logits.sigmoid()
                fooled = F.mse_loss(critic(y)[0], critic(x)[0].detach())
                losses = [fooled, F.l1_loss(y, x), F.mse_loss(again(y), z)]
                return sum(w * loss for w, loss in zip(self.weights, losses, strict=True))

            return {"critic": update["critic"](i, tell), "net": update["net"](i, all_three)}

        return step, parts | {"net": net, "critic": critic}


build = GANomaly
