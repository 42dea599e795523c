"""What NLN's five autoencoders share: codes, reconstructions, and where these are off the image.

Stephenson et al., "Improving Novelty Detection using the Reconstructions of Nearest Neighbours"
(NLN). The defaults are those of the released code, which differ from the paper's where both say
something (the paper has Adam with 1e-4 and squared errors). Known differences from the code:

- Batch norms normalise. Those of the code's AE, VAE and AE-res stay in inference mode in training,
  so that they scale and shift and no more.
- A step's parts move one after the other, each with the weights that the last one left; the code
  computes all gradients first.
- The last epoch is taken, as there; nothing looks at test images.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from nearnd.contracts import Embedding, Progress, silent
from nearnd.detectors._trained import Given, Trained, batched
from nearnd.files.header import one_of, record, whole
from nearnd.jobs.device import device
from nearnd.jobs.update import Update
from nearnd.networks.augment import as_tensor
from nearnd.networks.batches import batch_rows, steps_per_epoch
from nearnd.networks.reconstruction import Decoder, check_side, encoder

BATCH = 256  # images embedded at a time
NETWORK = ("channels", "side", "width", "code")
PIXELS = ["latent", "image", "decoded", "map"]  # what all of them embed
Step = Callable[[int], float | dict[str, float]]


def work(about, *, width: int, code: int, epochs: int, batch: int, **rest) -> dict:
    """See contracts.py. A critic, or a second encoder, is not counted."""
    from nearnd.networks import flops

    net = flops.autoencoder(about.side, about.channels, width, code)
    return {"network": net, "shown": epochs * about.images, "batch": batch}


class Pair(nn.Module):
    """An encoder and a decoder; what else the embedding takes stands beside them in `more`."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module, **more: nn.Module):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.more = nn.ModuleDict(more)

    def coded(self, x: Tensor) -> Tensor:
        """The codes (N, code) of images (N, C, S, S)."""
        return self.encoder(x)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Codes and the logits of reconstructions (N, C, S, S)."""
        z = self.coded(x)
        return z, self.decoder(z)


@dataclass
class Reconstruction(Trained):
    """A kind adds `training(show)`: a step of the training, and all that it changes, by name.
    `show(i)` are the images of step i, (B, C, S, S) in [0, 1]."""

    width: int = 32  # filters of every convolution
    code: int = 32  # L, the width of the code
    epochs: int = 50
    batch: int = 1024
    lr: float = 1e-3  # of Adam; the paper says 1e-4
    # image: each channel of each image from its own least to its largest value, as the authors do;
    # all: grey levels as they are
    levels: Literal["image", "all"] = "image"

    FACTS = record(
        channels=whole(most=64), side=whole(), width=whole(most=4096), code=whole(),
        levels=one_of("image", "all"),
    )  # fmt: skip
    named = PIXELS  # the arrays
    kept = ("width", "code", "levels")  # the options that the network, or `embed`, depends on

    def learn(self, given: Given) -> None:
        """ValueError unless there are normal images, square ones of a side that can be halved."""
        pixels = given.normal.pixels
        n, side, across, channels = pixels.shape
        if not n or side != across:
            raise ValueError(
                f"{self.kind} needs square normal images, it got {n} of {side} x {across}: set"
                " `size` in the dataset's entry, or choose another `normals`"
            )
        check_side(side, self.kind)
        self.facts = {"side": side, "channels": channels}
        self.facts |= {name: getattr(self, name) for name in self.kept}
        torch.manual_seed(given.seed)
        self.net = self.untrained().to(device()).train()

        def show(step: int) -> Tensor:
            rows = batch_rows(step, n, self.batch, given.seed)
            return self.see(pixels[rows])

        step, parts = self.training(show)
        given.loop(step, parts, steps=self.epochs * steps_per_epoch(n, self.batch))

    def see(self, pixels: np.ndarray) -> Tensor:
        """The network's input (N, C, S, S) in [0, 1] of uint8 (N, S, S, C)."""
        x = as_tensor(pixels).to(device())
        return stretched(x) if self.facts["levels"] == "image" else x

    def sizes(self) -> tuple[int, int, int, int]:
        """channels, side, width and code of the facts."""
        return tuple(self.facts[name] for name in NETWORK)

    def untrained(self) -> Pair:
        return Pair(encoder(*self.sizes()), Decoder(*self.sizes()))

    def besides(self, x: Tensor, z: Tensor, y: Tensor) -> list[Tensor]:
        """What a kind embeds beyond PIXELS, of images x, codes z and reconstructions y."""
        return []

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """float32 arrays: "latent" (N, L); "image" and "decoded" (N, S, S, C) in [0, 1], the image
        as the network sees it and its reconstruction; "map" (N, S, S), the mean over channels of
        how far these are apart; and what the kind adds."""
        net = self.fitted("embed").eval()
        self.check_size(pixels)

        def of(some: np.ndarray) -> list[Tensor]:
            x = self.see(some)
            z, logits = net(x)
            y = logits.sigmoid()
            images = [t.movedim(1, -1) for t in (x, y)]  # (n, S, S, C)
            return [z, *images, (x - y).abs().mean(1), *self.besides(x, z, y)]

        arrays = batched(of, pixels, progress, BATCH)
        return dict(zip(self.named, arrays, strict=True))


def stretched(x: Tensor) -> Tensor:
    """(N, C, H, W), each channel of each image from 0 to 1; one without contrast is all 0."""
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    span = high - low  # (N, C, 1, 1)
    return (x - low) / torch.where(span > 0, span, 1.0)


def adam(lr: float, betas=(0.9, 0.999), **nets: nn.Module) -> tuple[dict[str, Update], dict]:
    """For each network, by name, an Adam and how it moves; and both as parts of a training."""
    optimizers = {name: torch.optim.Adam(net.parameters(), lr, betas) for name, net in nets.items()}
    updates = {name: Update(optimizer, name=name) for name, optimizer in optimizers.items()}
    return updates, {f"adam of {name}": optimizer for name, optimizer in optimizers.items()}
