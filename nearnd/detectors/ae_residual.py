"""NLN's AE-res: an autoencoder and a critic of images, whose vectors of two images are compared.

In the released code the adversarial losses are of the critic's vector, not of its answer.
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from nearnd.detectors._reconstruction import Pair, Reconstruction, Step, adam, work  # noqa: F401
from nearnd.networks.reconstruction import Critic, Decoder, encoder, said, told_apart

NEEDS = []
EMBEDS = ["latent", "image", "decoded", "map", "seen", "rebuilt"]


@dataclass
class AEResidual(Reconstruction):
    """Each step moves the autoencoder by the cross-entropy of pixels, the critic by what it says of
    images and of their reconstructions, and the decoder by how real these are to the critic.

    Embeds also "seen" and "rebuilt" (N, L), the critic's vectors of an image and of its
    reconstruction.
    """

    lr_critic: float = 1e-5  # of the critic, and of what the decoder learns of it

    named = EMBEDS

    def untrained(self) -> Pair:
        sizes = self.sizes()
        return Pair(encoder(*sizes), Decoder(*sizes), critic=Critic(*sizes))

    def besides(self, x: Tensor, z: Tensor, y: Tensor) -> list[Tensor]:
        critic = self.net.more["critic"]
        return [critic(x)[0], critic(y)[0]]

    def training(self, show) -> tuple[Step, dict]:
        net, critic = self.net, self.net.more["critic"]
        pair = Pair(net.encoder, net.decoder)
        update, parts = adam(self.lr, pair=pair)
        others, more = adam(self.lr_critic, critic=critic, decoder=net.decoder)

        def step(i: int) -> dict[str, float]:
            x = show(i)
            rebuilt = update["pair"](i, lambda: F.binary_cross_entropy_with_logits(pair(x)[1], x))

            def tell() -> Tensor:
                return told_apart(critic(x)[1], critic(pair(x)[1].sigmoid().detach())[1])

            told = others["critic"](i, tell)
            fooled = others["decoder"](i, lambda: said(critic(pair(x)[1].sigmoid())[1], True))
            return {"rebuilt": rebuilt, "critic": told, "decoder": fooled}

        return step, parts | more | {"net": net}


build = AEResidual
