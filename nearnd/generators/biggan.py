"""BigGAN for the images of one class: residual networks of bounded layers, the hinge loss, and a
generator whose weights are averaged.

Brock, Donahue and Simonyan, "Large Scale GAN Training for High Fidelity Natural Image Synthesis".
Known differences from the authors' PyTorch code: there is one class, so no label is given to either
network; the average starts with the first step (training_loop.ema_rate), not after 1,000 steps; its
batch norms get statistics of their own for each snapshot, as in the paper.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nearnd.generators._latent import (  # noqa: F401 - see contracts.py
    Latent,
    Training,
    halvings,
    snapshots,
    training_steps,
)

LABEL = "BigGAN"
RANGES = {"beta1": (0, 0.999), "turns": (1, 1000)}
TOY = {
    "nf": 2, "code": 4, "skip": True, "attention": 8, "batch": 8, "turns": 2, "steps": 12,
    "snapshots": [6, 12],
}  # fmt: skip


@dataclass(kw_only=True)
class BigGAN(Latent):
    """Moves a critic, `turns` times, and a generator against each other; defaults are those of the
    authors' code for CIFAR-10, but for its normal initial weights (`init`)."""

    nf: int = 64  # channels; times 4 in images of up to 32 pixels, 16 to 1 in larger ones
    code: int = 128  # L, the number of latent variables
    skip: bool = (
        False  # each block gets a part of them of its own; L is a multiple of the blocks + 1
    )
    attention: int | None = None  # side of the map with a layer of self-attention
    init: Literal["orthogonal", "normal"] = "orthogonal"  # weights
    turns: int = 4  # steps of the critic for one of the generator
    lr: float = 2e-4  # of Adam, of the generator
    lr_critic: float = 2e-4
    beta1: float = 0.0  # of both
    eps: float = 1e-8
    ema: float | None = 0.9999  # averaging rate of the generator's weights
    flip: bool = False
    batch: int = 50
    steps: int = 125_000  # of the generator
    snapshots: int | Sequence[int] = 20

    def network(self, size: int, channels: int) -> dict[str, Any]:
        times = halvings(size, self.kind)
        if size > 256:
            raise ValueError(f"{self.kind} has no network for images of {size} pixels; 256 at most")
        sides = [8 << i for i in range(times)]
        if self.attention is not None and self.attention not in sides:
            raise ValueError(
                f"attention is {self.attention}; for images of {size} pixels it may be null or the"
                f" side of a map, {', '.join(map(str, sides))}"
            )
        parts = times + 1 if self.skip else 1
        latent = max(self.code // parts, 1) * parts
        return {
            "size": size, "channels": channels, "nf": self.nf, "latent": latent,
            "attention": self.attention, "skip": self.skip,
        }  # fmt: skip

    @staticmethod
    def bare(**network: Any):
        from nearnd.networks.biggan import Generator

        return Generator(**network)

    def training(self, network: dict[str, Any], show: Callable, dev) -> Training:
        from nearnd.generators._adversarial import play
        from nearnd.networks import biggan
        from nearnd.networks.adversarial import HINGE

        shape = (network["size"], network["channels"], self.nf, self.attention)
        nets = [self.bare(**network), biggan.Critic(*shape)]
        nets = [biggan.bound(biggan.begun(net, self.init)).to(dev).train() for net in nets]
        adam = {
            name: {"lr": lr, "betas": (self.beta1, 0.999), "eps": self.eps}
            for name, lr in (("generator", self.lr), ("critic", self.lr_critic))
        }
        return play(
            *nets, HINGE, show, adam=adam, turns=self.turns, ema=self.ema, settle=biggan.free
        )


def work(about, **arguments: Any) -> dict[str, Any]:
    """See contracts.py. In passes of the generator: a turn of the critic draws an image and moves
    by two; the generator's step draws and judges one and goes all the way back, but for the
    critic's weights."""
    from nearnd.networks import flops

    model = build(**arguments)
    net = flops.drawn(model.bare, model.network(about.side, about.channels))
    shape = (about.side, about.channels, model.nf, model.attention)
    critic = flops.biggan_critic(*shape).flops / net.flops
    passes = model.turns * (1 + 6 * critic) + 3 + 2 * critic
    return {"network": net, "plan": model.plan(), "passes": passes}


def check(**arguments: Any) -> None:
    """ValueError if an entry cannot work; for the check of a config, without torch."""
    build(**arguments)


build = BigGAN
