"""AnoGAN: how near a GAN of normal images comes to an image, searched by gradient descent.

Schlegl et al. (2017), "Unsupervised Anomaly Detection with Generative Adversarial Networks to Guide
Marker Discovery". The search begins at the middle of the latent variables, not at a random point,
so that an image's score depends on the image alone; the networks are NLN's, smaller than DCGAN's.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nearnd.contracts import Embedding, Progress, silent
from nearnd.detectors._reconstruction import BATCH, Reconstruction, Step, adam
from nearnd.detectors._trained import batched
from nearnd.files.header import extended, number, whole
from nearnd.jobs.device import device
from nearnd.networks.reconstruction import Critic, Decoder, said, told_apart

NEEDS = []
EMBEDS = ["latent", "image", "decoded", "map", "loss"]
BETAS = (0.5, 0.999)  # Adam's, of the GAN
RANGES = {"search": (1, 100_000), "weight": (0.0, 1.0), "rate": (1e-9, 1e6)}


def work(about, *, width: int, code: int, epochs: int, batch: int, **rest) -> dict:
    """See contracts.py. Generator and critic are about an autoencoder; the search is not counted,
    which takes `search` forward and backward passes an image when it is embedded."""
    from nearnd.networks import flops

    net = flops.autoencoder(about.side, about.channels, width, code)
    return {"network": net, "shown": epochs * about.images, "batch": batch}


class GAN(nn.Module):
    """A generator and a critic."""

    def __init__(self, decoder: Decoder, critic: Critic):
        super().__init__()
        self.decoder, self.critic = decoder, critic

    def draw(self, z: Tensor) -> Tensor:
        """Images (N, C, S, S) in [0, 1] of latent variables (N, L)."""
        return self.decoder(z).sigmoid()


@dataclass
class AnoGAN(Reconstruction):
    """Each step moves the critic by what it says of images and of drawn ones, and the generator by
    how real its images are to the critic."""

    code: int = 100
    epochs: int = 20
    batch: int = 64
    lr: float = 2e-4
    search: int = 500  # steps to the latent variables of an image
    rate: float = 0.01  # of these steps, of Adam; not in the paper
    weight: float = 0.1  # lambda: of the critic's vectors, beside 1 - lambda of the pixels

    FACTS = extended(
        Reconstruction.FACTS, search=whole(most=100_000), rate=number(0, 1e6), weight=number(0, 1)
    )
    kept = (*Reconstruction.kept, "search", "rate", "weight")

    def untrained(self) -> GAN:
        return GAN(Decoder(*self.sizes()), Critic(*self.sizes()))

    def trial(self) -> None:
        side, channels = self.facts["side"], self.facts["channels"]
        net = self.untrained().eval()
        net.draw(torch.empty(1, self.facts["code"]))
        net.critic(torch.empty(1, channels, side, side))

    def training(self, show) -> tuple[Step, dict]:
        net = self.net
        update, parts = adam(self.lr, BETAS, critic=net.critic, decoder=net.decoder)

        def step(i: int) -> dict[str, float]:
            x = show(i)

            def drawn() -> Tensor:
                return net.draw(torch.randn(len(x), self.code, device=x.device))

            def tell() -> Tensor:
                return told_apart(net.critic(x)[1], net.critic(drawn().detach())[1])

            told = update["critic"](i, tell)
            fooled = update["decoder"](i, lambda: said(net.critic(drawn())[1], True))
            return {"critic": told, "decoder": fooled}

        return step, parts | {"net": net}

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """As of `Reconstruction`, with "latent" (N, L) and "decoded" where the search ended, and
        "loss" (N,), the sums over pixels and over the critic's vector, weighted."""
        net = self.fitted("embed").eval().requires_grad_(False)
        self.check_size(pixels)

        def of(some: np.ndarray) -> list[Tensor]:
            with torch.inference_mode(False), torch.enable_grad():
                x = self.see(some)
                z = torch.zeros(len(x), self.facts["code"], device=device(), requires_grad=True)
                adam = torch.optim.Adam([z], self.facts["rate"])
                seen = net.critic(x)[0]  # (n, L)
                for _ in range(self.facts["search"]):
                    adam.zero_grad()
                    self.apart(net, x, seen, z).sum().backward()
                    adam.step()
                with torch.no_grad():
                    y, loss = net.draw(z), self.apart(net, x, seen, z)
                images = [t.movedim(1, -1) for t in (x, y)]  # (n, S, S, C)
                return [z.detach(), *images, (x - y).abs().mean(1), loss]

        return dict(zip(EMBEDS, batched(of, pixels, progress, BATCH), strict=True))

    def apart(self, net: GAN, x: Tensor, seen: Tensor, z: Tensor) -> Tensor:
        """The loss (n,) of latent variables (n, L) for images x."""
        y = net.draw(z)
        pixels = F.l1_loss(y, x, reduction="none").flatten(1).sum(1)
        vectors = (net.critic(y)[0] - seen).abs().sum(1)
        weight = self.facts["weight"]
        return (1 - weight) * pixels + weight * vectors


build = AnoGAN
