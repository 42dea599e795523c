"""StyleGAN2-ADA: a GAN with styles whose discriminator sees augmented images.

Karras et al., "Training Generative Adversarial Networks with Limited Data" (NeurIPS 2020), and its
networks, "Analyzing and Improving the Image Quality of StyleGAN" (CVPR 2020). Settings are those of
the authors' code, github.com/NVlabs/stylegan2-ada-pytorch. Networks and augmentation give what that
code gives with the same weights, up to rounding (tests/test_stylegan2_ada.py).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nearnd.generators._latent import (  # noqa: F401 - see contracts.py
    Latent,
    Noise,
    Training,
    halvings,
    snapshots,
    training_steps,
)

# what the contract tests train
LABEL = "StyleGAN2-ADA"
TOY = {
    "z_dim": 4, "w_dim": 4, "channel_base": 32, "channel_max": 8, "batch": 8, "group": 4,
    "path": 2.0, "mixing": 0.9, "p": 0.5, "steps": 12, "snapshots": [6, 12],
}  # fmt: skip
RANGES = {
    "z_dim": [1, 65536], "w_dim": [1, 65536], "mapping_layers": [1, 64], "group": [1, 65536],
    "channel_base": [8, 16777216], "channel_max": [1, 65536], "target": [-1, 1], "p": [0, 1],
    "mixing": [0, 1], "truncation": [0, 1], "r1_every": [1, 1000000], "path_every": [1, 1000000],
    "ada_every": [1, 1000000], "ema_images": [1, 1.0e+12], "ema_ramp": [1.0e-6, 1.0e+6],
    "ada_images": [1, 1.0e+12],
}  # fmt: skip


@dataclass(kw_only=True)
class StyleGAN2ADA(Latent):
    """Defaults are the published CIFAR-10 configuration, `cifar`, which has no path length penalty,
    no mixed styles and no residual connections in the discriminator.

    z_dim, w_dim: of the latent variable and of a style. channel_base, channel_max: a map of side s
    has channel_base / s channels, at most channel_max. group: images over which the discriminator
    sees a deviation; divides batch. r1, path: weights of the penalties, 0 for none, taken at every
    r1_every-th and path_every-th step. mixing: probability of mixed styles. ema_images: after so
    many images half of the weights' average is forgotten; not more than the share ema_ramp of those
    shown so far, None for no such limit. target: of r_t, None: p stays. p: where it begins.
    ada_images: shown while p goes from 0 to 1; ada_every: steps between its moves. truncation: of
    the styles drawn, 1: none.
    Deviations from the authors' code: float32 throughout, so no clamping of activations; p is kept
    at 1 or below; in sampling the layers' noise belongs to the image, as its latent variable does.
    """

    z_dim: int = 512
    w_dim: int = 512
    mapping_layers: int = 2
    channel_base: int = 32768
    channel_max: int = 512
    architecture: Literal["skip", "residual", "plain"] = "skip"
    architecture_critic: Literal["skip", "residual", "plain"] = "plain"
    group: int = 32
    lr: float = 2.5e-3  # of Adam, of both networks
    r1: float = 0.01
    r1_every: int = 16
    path: float = 0.0
    path_every: int = 4
    mixing: float = 0.0
    ema_images: float = 500_000
    ema_ramp: float | None = 0.05
    target: float | None = 0.6
    p: float = 0.0
    ada_images: float = 500_000
    ada_every: int = 4
    truncation: float = 1.0
    flip: bool = False
    batch: int = 64
    steps: int = 1_562_500  # 100 million images
    snapshots: int | Sequence[int] = 40

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batch % min(self.group, self.batch):
            raise ValueError(
                f"group is {self.group}; it may be a number that divides batch, {self.batch}"
            )

    def network(self, size: int, channels: int) -> dict[str, Any]:
        halvings(size, self.kind)
        if self.channel_base < size:
            raise ValueError(
                f"channel_base is {self.channel_base}; for images of {size} pixels it may be {size}"
                " or more"
            )
        return {
            "size": size, "channels": channels, "z_dim": self.z_dim, "w_dim": self.w_dim,
            "mapping_layers": self.mapping_layers, "channel_base": self.channel_base,
            "channel_max": self.channel_max, "architecture": self.architecture,
        }  # fmt: skip

    def critic(self, network: dict[str, Any]) -> dict[str, Any]:
        """The arguments of the discriminator beside this generator."""
        shared = ("size", "channels", "channel_base", "channel_max")
        own = {"architecture": self.architecture_critic, "group": self.group}
        return {name: network[name] for name in shared} | own

    @staticmethod
    def bare(**network: Any):
        from nearnd.networks.style_generator import StyleGenerator

        return StyleGenerator(**network)

    def training(self, network: dict[str, Any], show: Callable, dev) -> Training:
        from nearnd.generators._style_training import compete

        return compete(self, network, show, dev)

    def draw(self, net, noise: Noise):
        return net(noise(net.latent), self.truncation)


def work(about, **arguments: Any) -> dict[str, Any]:
    """See contracts.py. In passes of the generator, of an image each: the discriminator's step
    draws one and moves by two; the generator's draws and judges one and goes all the way back, but
    for the discriminator's weights. A gradient of a gradient takes three times what a gradient
    does; path lengths see half a batch. The augmentation is not counted."""
    from nearnd.networks import flops

    model = build(**arguments)
    network = model.network(about.side, about.channels)
    net = flops.drawn(model.bare, network)
    critic = flops.style_discriminator(model.critic(network)).flops / net.flops
    passes = (1 + 6 * critic) + (3 + 2 * critic)
    passes += 9 * critic / model.r1_every * bool(model.r1)
    passes += 9 / 2 / model.path_every * bool(model.path)
    return {"network": net, "plan": model.plan(), "passes": passes}


def check(**arguments: Any) -> None:
    """ValueError if an entry cannot work; for the check of a config, without torch."""
    build(**arguments)


build = StyleGAN2ADA
