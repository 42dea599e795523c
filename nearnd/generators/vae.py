"""A variational autoencoder: images are decoded from a standard-normal code.

Kingma and Welling, "Auto-Encoding Variational Bayes"; the weight beta is Higgins et al.'s,
"beta-VAE". The deviation of Gaussian pixels is learned (Rybkin et al., "Simple and Effective VAE
Training with Calibrated Decoders"), so that beta 1 is the bound itself on images of any contrast.
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

LABEL = "VAE"
TOY = {"widths": [4, 4], "hidden": 8, "code": 3, "batch": 8, "steps": 12, "snapshots": [6, 12]}


@dataclass(kw_only=True)
class VAE(Latent):
    """Moves an encoder and a decoder up the evidence lower bound
    E log p(x | z) - beta KL(q(z | x) | p(z)). An image that is drawn is the pixels' mean.

    The defaults are those of beta-VAE for CelebA at 64 pixels, but for beta and Gaussian pixels.
    """

    widths: Sequence[int] = (32, 32, 64, 64)  # of the maps after each halving, down to 4 x 4; of
    # smaller images the first ones
    hidden: int | None = 256  # of a dense layer beside the code; null for none
    norm: bool = False  # batch norms after the convolutions
    code: int = 32  # L, the number of latent variables
    beta: float = 1.0
    likelihood: Literal["gaussian", "bernoulli"] = "gaussian"  # of pixels: with one deviation that
    # is learned; or as shares of white, for images of strokes
    lr: float = 1e-4  # of Adam
    batch: int = 64
    steps: int = 100_000
    snapshots: int | Sequence[int] = 20

    def network(self, size: int, channels: int) -> dict[str, Any]:
        times = halvings(size, self.kind)
        if len(self.widths) < times:
            raise ValueError(
                f"widths is {list(self.widths)}; images of {size} pixels need {times} numbers"
            )
        return {
            "size": size, "channels": channels, "widths": list(self.widths[:times]),
            "hidden": self.hidden, "code": self.code, "norm": self.norm,
            "likelihood": self.likelihood,
        }  # fmt: skip

    @staticmethod
    def bare(**network: Any):
        from nearnd.networks.variational import Decoder

        return Decoder(**network)

    def training(self, network: dict[str, Any], show: Callable, dev) -> Training:
        import torch

        from nearnd.jobs.update import Update
        from nearnd.networks import variational as v

        parts = {
            "decoder": self.bare(**network).to(dev),
            "encoder": v.Encoder(
                network["channels"], network["widths"], self.hidden, self.code, self.norm
            ).to(dev),
            "deviation": v.Deviation().to(dev),
        }
        weights = [p for part in parts.values() for p in part.parameters()]
        adam = torch.optim.Adam(weights, self.lr)
        update = Update(adam)
        decoder, encoder, deviation = parts.values()

        def step(i: int) -> float:
            x = show(i)

            def loss():
                mean, log_variance = encoder(x).chunk(2, 1)  # (B, L) each
                z = mean + (log_variance / 2).exp() * torch.randn_like(mean)
                y = decoder.parameter(z)  # (B, C, S, S)
                if self.likelihood == "bernoulli":
                    log_p = v.log_bernoulli(x, y)
                else:
                    log_p = v.log_gaussian(x, y, deviation())
                return (self.beta * v.from_normal(mean, log_variance) - log_p).mean()

            return update(i, loss)

        return Training(step, parts | {"adam": adam}, drawn="decoder")


def work(about, **arguments: Any) -> dict[str, Any]:
    """See contracts.py: a step takes the encoder, as large as the decoder, beside it."""
    from nearnd.networks import flops

    model = build(**arguments)
    net = flops.drawn(model.bare, model.network(about.side, about.channels))
    return {"network": net, "plan": model.plan(), "passes": 6}


def check(**arguments: Any) -> None:
    """ValueError if an entry cannot work; for the check of a config, without torch."""
    build(**arguments)


build = VAE
