"""NLN's AE-con: an autoencoder, a critic of images, and a second encoder, after GANomaly.

The second encoder gives the code of a reconstruction, which is that of its image where it is
consistent. GANomaly's mean squared difference of the two; the released code names a loss that it
does not define. Its score compares neighbours' codes with the own reconstruction's: an option of
the score (`nln_as_released_con`).
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from nearnd.detectors._reconstruction import Pair, Reconstruction, Step, adam, work  # noqa: F401
from nearnd.jobs.device import device
from nearnd.networks.reconstruction import Critic, Decoder, encoder, said, told_apart

NEEDS = []
EMBEDS = ["latent", "image", "decoded", "map", "seen", "rebuilt"]


@dataclass
class AEConsistent(Reconstruction):
    """Each step moves the autoencoder by the three losses together, the critic by what it says of
    images and of their reconstructions, and the second encoder by the difference of codes.

    Embeds also "seen" (N, L), the code of the image once more, and "rebuilt" (N, L), that of its
    reconstruction by the second encoder.
    """

    lr: float = 1e-4  # of all three
    weight: float = 50.0  # of the pixels, beside 1 for the critic and 1 for the codes

    named = EMBEDS

    def untrained(self) -> Pair:
        sizes = self.sizes()
        return Pair(encoder(*sizes), Decoder(*sizes), again=encoder(*sizes))

    def besides(self, x: Tensor, z: Tensor, y: Tensor) -> list[Tensor]:
        return [z, self.net.more["again"](y)]

    def training(self, show) -> tuple[Step, dict]:
        net, again = self.net, self.net.more["again"]
        pair, critic = Pair(net.encoder, net.decoder), Critic(*self.sizes()).to(device())
        update, parts = adam(self.lr, pair=pair, critic=critic, again=again)

        def step(i: int) -> dict[str, float]:
            x = show(i)

            def all_three() -> Tensor:
                z, logits = pair(x)
                y = logits.sigmoid()
                error = F.binary_cross_entropy_with_logits(logits, x)
                return self.weight * error + said(critic(y)[1], True) + F.mse_loss(again(y), z)

            def tell() -> Tensor:
                return told_apart(critic(x)[1], critic(pair(x)[1].sigmoid().detach())[1])

            def same() -> Tensor:
                z, logits = pair(x)
                return F.mse_loss(again(logits.sigmoid().detach()), z.detach())

            losses = {"pair": all_three, "critic": tell, "again": same}
            return {name: update[name](i, loss) for name, loss in losses.items()}

        return step, parts | {"net": net, "critic": critic}


build = AEConsistent
