"""A generative adversarial network of convolutions, DCGAN, with the loss that does not saturate.

Goodfellow et al., "Generative Adversarial Nets"; Radford, Metz and Chintala, "Unsupervised
Representation Learning with Deep Convolutional Generative Adversarial Networks".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nearnd.generators._latent import (  # noqa: F401 - see contracts.py
    Latent,
    Training,
    halvings,
    snapshots,
    training_steps,
)

LABEL = "GAN"
RANGES = {"beta1": (0, 0.999)}
TOY = {"nf": 4, "code": 3, "batch": 8, "steps": 12, "snapshots": [6, 12]}


@dataclass(kw_only=True)
class GAN(Latent):
    """Moves a critic and a generator against each other; defaults are DCGAN's for 64 pixels."""

    nf: int = 128  # channels of the maps of half the image's size
    code: int = 100  # L, the number of latent variables
    lr: float = 2e-4  # of Adam, of the generator
    lr_critic: float = 2e-4
    beta1: float = 0.5  # of both
    ema: float | None = None  # averaging rate of the generator's weights; DCGAN has none
    batch: int = 128
    steps: int = 100_000
    snapshots: int | Sequence[int] = 20

    def network(self, size: int, channels: int) -> dict[str, Any]:
        halvings(size, self.kind)
        return {"size": size, "channels": channels, "nf": self.nf, "latent": self.code}

    @staticmethod
    def bare(**network: Any):
        from nearnd.networks.dcgan import Generator

        return Generator(**network)

    def training(self, network: dict[str, Any], show: Callable, dev) -> Training:
        from nearnd.generators._adversarial import play
        from nearnd.networks.adversarial import LOG_P
        from nearnd.networks.dcgan import Critic

        generator = self.bare(**network).to(dev).train()
        critic = Critic(network["size"], network["channels"], self.nf).to(dev).train()
        betas = (self.beta1, 0.999)
        adam = {
            "generator": {"lr": self.lr, "betas": betas},
            "critic": {"lr": self.lr_critic, "betas": betas},
        }
        return play(generator, critic, LOG_P, show, adam=adam, ema=self.ema)


def work(about, **arguments: Any) -> dict[str, Any]:
    """See contracts.py. The critic costs what the generator does: two images forward and back for
    it and one drawn; one drawn, judged and all the way back, but for the critic's weights."""
    from nearnd.networks import flops

    model = build(**arguments)
    net = flops.drawn(model.bare, model.network(about.side, about.channels))
    return {"network": net, "plan": model.plan(), "passes": 6 + 1 + 3 + 2}


def check(**arguments: Any) -> None:
    """ValueError if an entry cannot work; for the check of a config, without torch."""
    build(**arguments)


build = GAN
