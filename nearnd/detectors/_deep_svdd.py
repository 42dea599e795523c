"""What DeepSVDD and DeepSAD share: an autoencoder's encoder, a centre, a guard against collapse.

The centre c is the mean code of the training images, pushed away from 0, and does not move. A
network that can give one code to all images has an easy way out: every image at c. Biases, affine
batch norms and bounded activations allow it, so there are none.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from nearnd.contracts import Embedding, Progress, silent
from nearnd.detectors._trained import Given, Trained, batched
from nearnd.files.header import BOOL, NULL, either, number, record, several, whole
from nearnd.jobs.device import device
from nearnd.jobs.training_loop import stages
from nearnd.networks.augment import as_tensor
from nearnd.networks.batches import batch_rows
from nearnd.networks.contrast import contrast_normalised, extrema
from nearnd.networks.lenet import Decoder, lenet
from nearnd.networks.schedules import tenths

BATCH = 256  # images embedded at a time
PUSH = 0.1  # least size of a coordinate of the centre
PROBES = 256  # images on which a collapse is looked for
COLLAPSED = 0.01  # spread of the probes' codes over the length of the centre; about 0.15 on digits
NETWORK = ("channels", "side", "widths", "hidden", "code", "bias")


class Sphere(nn.Module):
    """An encoder to codes (N, code) and the sphere that the codes shall lie in."""

    def __init__(self, facts: dict):
        super().__init__()
        self.encoder = lenet(**{name: facts[name] for name in NETWORK}, xavier=False)
        self.register_buffer("centre", torch.zeros(facts["code"]))
        self.register_buffer("radius", torch.zeros(()))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Codes z (N, code) and squared distances |z - c|^2 (N,)."""
        z = self.encoder(x)
        return z, (z - self.centre).square().sum(1)


def work(about, *, widths, hidden, code, epochs: int, batch: int, ae_epochs: int, **rest) -> dict:
    """See contracts.py."""
    from nearnd.networks import flops

    network = flops.lenet(about.side, about.channels, widths, hidden, code)
    shown = epochs * (about.images + about.outliers)
    shown += 2 * ae_epochs * about.images  # encoder and decoder
    return {"network": network, "shown": shown, "batch": batch}


@dataclass
class Compact(Trained):
    """Codes near a centre, and how far each is.

    A kind adds `images(given)`, all pixels (N, H, W, C) with the normal ones first, and how many
    are normal; and `loss(d, rows, step, normals)` of squared distances d (B,) of the images in
    these rows. The defaults are the official codes' for CIFAR-10.
    """

    widths: Sequence[int] = (32, 64, 128)  # of the LeNet's blocks
    hidden: int | None = None  # width of a layer before the last; null: none
    code: int = 128  # features
    bias: bool = False  # True adds biases and affine batch norms, which lets it collapse; training
    # then ends with an error if it has
    epochs: int = 150
    milestones: Sequence[int] = (50,)  # epochs at which the learning rate falls to a tenth
    lr: float = 1e-4
    weight_decay: float = 0.5e-6
    ae_epochs: int = 350  # of the autoencoder; 0: none
    ae_milestones: Sequence[int] = (250,)
    ae_lr: float = 1e-4
    ae_weight_decay: float = 0.5e-6

    FACTS = record(
        extrema=either(several(number(), 2, 2), NULL), side=whole(), channels=whole(most=64),
        widths=several(whole()), hidden=either(whole(), NULL), code=whole(), bias=BOOL,
    )  # fmt: skip
    contrast = False  # True: normalised, see `contrast_normalised`; else pixels stay in [0, 1]

    def see(self, pixels: np.ndarray) -> Tensor:
        """The network's input of uint8 (N, H, W, C)."""
        x = as_tensor(pixels)
        ends = self.facts["extrema"]
        return x if ends is None else contrast_normalised(x, *ends)  # (N, C, H, W)

    def untrained(self) -> Sphere:
        return Sphere(self.facts)

    def learn(self, given: Given) -> None:
        """Pretrains an autoencoder, sets the centre to that of the normal images, and draws their
        codes to it. ValueError if all codes have collapsed in the end."""
        pixels, normals = self.images(given)
        _check_images(self.kind, pixels)
        seed, batch, (n, side, _, channels) = given.seed, self.batch, pixels.shape
        self.facts = {"extrema": extrema(pixels) if self.contrast else None}
        self.facts |= {"side": side, "channels": channels}
        self.facts |= {name: getattr(self, name) for name in NETWORK[2:]}
        first = self.ae_epochs and max(1, self.ae_epochs * n // batch)
        second = max(1, self.epochs * n // batch)
        pretraining, main = stages(given.folder, given.progress, ae=first, sphere=second)
        torch.manual_seed(seed)
        net = self.untrained().to(device())
        on = net.centre.device

        def input_of(step: int) -> tuple[Tensor, np.ndarray]:
            rows = batch_rows(step, n, batch, seed)
            return self.see(pixels[rows]).to(on), rows

        if first:
            decoder = Decoder(channels, side, self.widths, self.code).to(on)
            both = nn.Sequential(net.encoder, decoder).train()

            def error(step: int) -> Tensor:
                x, _ = input_of(step)
                return (both(x) - x).square().sum((1, 2, 3)).mean()

            adam = torch.optim.Adam(
                both.parameters(), self.ae_lr, weight_decay=self.ae_weight_decay
            )
            schedule = tenths(self.ae_milestones, n, batch)
            given.train(both, adam, error, schedule=schedule, **pretraining)
        self.net = net
        net.centre.copy_(centre(self._codes(pixels[:normals])))

        def objective(step: int) -> Tensor:
            x, rows = input_of(step)
            return self.loss(net(x)[1], rows, step, normals)

        adam = torch.optim.Adam(net.parameters(), self.lr, weight_decay=self.weight_decay)
        schedule = tenths(self.milestones, n, batch)
        given.train(net.train(), adam, objective, schedule=schedule, **main)
        self._check(pixels, seed)

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """{"features": the code z, float32 (N, code), "logit": |z - c|^2 - R^2, float32 (N,)},
        higher = more anomalous; R is 0 but for the soft boundary."""
        net = self.fitted("embed").eval()
        self.check_size(pixels)

        def of(some: np.ndarray) -> tuple[Tensor, Tensor]:
            z, d = net(self.see(some).to(net.centre.device))
            return z, d - net.radius**2

        z, d = batched(of, pixels, progress, BATCH)
        return {"features": z, "logit": d}

    def _codes(self, pixels: np.ndarray) -> Tensor:
        return torch.from_numpy(self.embed(pixels)["features"])

    def _check(self, pixels: np.ndarray, seed: int) -> None:
        """ValueError unless images that are unlike each other still have different codes.

        Training images whose pixels were shuffled, each in its own way, have the same grey levels
        and no shape: they need not come near the centre, unless everything does.
        """
        rng = np.random.default_rng(seed)
        some = np.array(pixels[:PROBES])
        n, channels = len(some), some.shape[-1]
        flat = rng.permuted(some.reshape(n, -1, channels), axis=1)  # (n, H * W, C)
        z = self._codes(np.concatenate([some, flat.reshape(some.shape)]))  # (2 n, code)
        spread = float((z - z.mean(0)).square().sum(1).mean().sqrt())
        length = float(self.net.centre.norm())
        if spread < COLLAPSED * length:
            raise ValueError(
                f"{self.kind}: the codes have collapsed: those of training images and of images"
                f" without shape differ by {spread:.3g}, their centre has length {length:.3g}."
                " Scores would say nothing. Train less (`epochs`, `lr`), or set `bias` to false in"
                " the detector's entry"
            )


def centre(z: Tensor) -> Tensor:
    """The mean code (D,) of z (N, D), each coordinate at least PUSH from 0 on its own side: a unit
    at 0 could be matched by zero weights. Coordinates that are exactly 0 stay there."""
    c = z.mean(0)
    return torch.where(c.abs() < PUSH, PUSH * c.sign(), c)


def _check_images(who: str, pixels: np.ndarray) -> None:
    """ValueError unless there are two square images or more."""
    if len(pixels) < 2:
        raise ValueError(
            f"{who} needs at least two training images, this task has {len(pixels)}: choose another"
            " `normals` or dataset in the experiment's entry"
        )
    if pixels.shape[1] != pixels.shape[2]:
        raise ValueError(
            f"{who} takes square images, these are {pixels.shape[1]} x {pixels.shape[2]}: set"
            " `size` in the dataset's entry"
        )
