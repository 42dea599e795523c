"""What CSI, SimCLR, their labelled forms and UNODE share: a network trained to tell the views of
each normal image from those of all others.

The network's input is in [-1, 1], as CSI's; SSD's is normalised by CIFAR-10's mean and deviation.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nearnd.contracts import Embedding, Network, Progress, silent
from nearnd.detectors._trained import Given, Trained, batched
from nearnd.files.header import BOOL, extended, number, one_of, record, several, whole
from nearnd.jobs.device import device
from nearnd.jobs.seeds import pixel_seeds
from nearnd.networks.augment import as_tensor
from nearnd.networks.batches import rows_apart, steps_per_epoch
from nearnd.networks.precision import autocast, dtype, exact
from nearnd.networks.resnet import BLOCKS, STEMS, resnet
from nearnd.networks.schedules import cosine, warmed
from nearnd.networks.shifts import SHIFTS
from nearnd.networks.views import NUMBERS, Views, mirrored, seen

BATCH = 512  # views embedded at a time
NETWORK = ("depth", "width", "stem")
VIEWS = record(
    scale=several(number(0.001, 1), 2, 2), jitter=several(number(0, 10), 4, 4), grey=number(0, 1),
    flip=BOOL,
)  # fmt: skip


def work_of(
    about, *, depth: int, width: int, stem: str, epochs: float, batch: int, views: int, looks: int
) -> dict:
    """See `work` in contracts.py: of a residual network from scratch that is shown so many views
    of each image in training."""
    from nearnd.networks import flops

    net = flops.resnet(about.side, about.channels, depth, width, stem)
    return work_in_looks(about, net, epochs=epochs, batch=batch, views=views, looks=looks)


def work_in_looks(
    about, net: Network, *, epochs: float, batch: int, views: int, looks: int
) -> dict:
    """Of any network: an image counts once, with the `looks` at it that embedding it takes."""
    shown = views / looks  # in such images
    whole = Network(net.flops * looks, net.weights, net.features)
    return {"network": whole, "shown": epochs * about.images * shown, "batch": batch * shown}


class Projected(nn.Module):
    """A trunk to features h (N, D), and a small network on it to z (N, code), which is compared."""

    def __init__(self, trunk: nn.Module, code: int):
        super().__init__()
        self.trunk = trunk
        self.features = n = trunk.num_features
        self.projection = nn.Sequential(nn.Linear(n, n), nn.ReLU(), nn.Linear(n, code))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.trunk(x).float()
        return h, exact(self.projection, h)


@dataclass
class Contrastive(Trained):
    """A kind adds `trunk`, the network of the facts, and `loss(h, z, labels)`, of the features h
    (2B K, D) and the projections z (2B K, code) of length 1 of two views of B images in K shifts;
    the first views of all images come first, an image's shifts follow each other."""

    code: int = 128  # width of what is compared
    epochs: int = 1000
    batch: int = 128  # images; each is seen in two views, in all shifts
    temperature: float = 0.5
    optimizer: Literal["lars", "sgd", "adamw"] = "lars"
    lr: float = 1.0
    momentum: float = 0.9  # of lars and sgd
    weight_decay: float = 1e-6
    warm_up: float = 10  # epochs in which the rate rises from a tenth; then it falls as a cosine
    scale: tuple[float, float] = (0.08, 1.0)  # share of the image that a view shows
    # of brightness, contrast, saturation, hue
    jitter: tuple[float, float, float, float] = (0.4, 0.4, 0.4, 0.1)
    grey: float = 0.2  # share of the views without colours
    flip: bool = True  # half of them are mirrored; not for digits and letters
    precision: Literal["auto", "fp32", "bf16"] = "auto"  # of the trunk

    FACTS = record(
        side=whole(), channels=whole(most=64), code=whole(), shifts=one_of(*SHIFTS)
    )  # fmt: skip
    shifts = "none"

    def learn(self, given: Given) -> None:
        """ValueError unless there are two normal images, and they are square."""
        self.prepare(given)
        self.contrast(given)

    def contrast(self, given: Given, **where) -> None:
        """Trains the network with the kind's loss; `where`: see `stages` of the training loop."""
        pixels = given.normal.pixels
        labels = torch.from_numpy(np.unique(given.normal.labels, return_inverse=True)[1])
        show = self.shower(given, copies=2)
        run, per_epoch = self.in_precision(), steps_per_epoch(len(pixels), self.batch)

        def loss(step: int) -> Tensor:
            self.begin(step // per_epoch)
            x, rows = show(step)
            h, z = run(x)
            y = labels[rows].repeat(2).repeat_interleave(self.count()).to(x.device)  # (2B K,)
            return self.loss(h, F.normalize(z), y)

        steps = self.epochs * per_epoch
        rise = min(round(self.warm_up * per_epoch), steps // 2)
        schedule = warmed(rise, cosine(steps - rise))
        optimizer = OPTIMIZERS[self.optimizer](list(self.net.parameters()), self)
        recipe = {"steps": steps, "schedule": schedule} | where
        given.train(self.net.train(), optimizer, loss, **recipe)

    def begin(self, epoch: int) -> None:
        """What a kind changes before a step of that epoch."""

    def check_images(self, given: Given) -> None:
        """ValueError unless there are two normal images, square ones."""
        n, side, across, _ = given.normal.pixels.shape
        if n < 2 or side != across:
            raise ValueError(
                f"{self.kind} needs at least two normal images, all square; it got {n} of {side} x"
                f" {across}: set `size` in the dataset's entry, or choose another `normals`"
            )

    def prepare(self, given: Given, **facts) -> None:
        """Sets the facts, these too, and the untrained network."""
        self.check_images(given)
        _, side, _, channels = given.normal.pixels.shape
        self.facts = {"side": side, "channels": channels, "shifts": self.shifts, "code": self.code}
        self.facts |= facts
        torch.manual_seed(given.seed)
        self.net = self.untrained().to(device())

    def shower(self, given: Given, copies: int) -> Callable:
        """A function that gives a step's input (copies B K, C, S, S) and its images' rows (B,)."""
        on, how = next(self.net.parameters()).device, Views(**self.views())
        n = len(given.normal)

        def show(step: int) -> tuple[Tensor, np.ndarray]:
            rows = rows_apart(step, n, self.batch, given.seed)
            x = torch.cat([self.images(given, rows) for _ in range(copies)]).to(on)
            u = torch.rand(len(x), self.count(), NUMBERS).to(on)
            return self.shown(x, u, how), rows

        return show

    def images(self, given: Given, rows: np.ndarray) -> Tensor:
        """What views are drawn of, for the normal images of a step: float32 (N, C, S, S)."""
        return as_tensor(given.normal.pixels[rows])

    def views(self, **changes) -> dict:
        """What views look like in training, or with these changes: fields of `Views`."""
        own = {"scale": list(self.scale), "jitter": list(self.jitter)}
        return own | {"grey": self.grey, "flip": self.flip} | changes

    def count(self) -> int:
        """How many shifts there are."""
        return len(SHIFTS[self.facts["shifts"]])

    def shown(self, x: Tensor, u: Tensor, how: Views) -> Tensor:
        """Images (N, C, S, S) in [0, 1], each shift of each in a view of its own, as the network
        sees them, (N K, C, S, S) in [-1, 1]; u: (N, K, NUMBERS)."""
        views = []
        for k, shift in enumerate(SHIFTS[self.facts["shifts"]]):
            own = u[:, k]  # (N, NUMBERS)
            views.append(seen(shift(mirrored(x, own) if how.flip else x), own, how, self.sees(x)))
        return 2 * torch.stack(views, 1).flatten(0, 1) - 1

    def sees(self, x: Tensor) -> int:
        """The side of a view of these images, in pixels."""
        return x.shape[-1]

    def untrained(self) -> Projected:
        return Projected(self.trunk(), self.facts["code"])

    def in_precision(self) -> Callable:
        """The function x -> net(x), the trunk in the entry's precision."""
        net, on = self.net, next(self.net.parameters()).device

        def run(x: Tensor) -> tuple[Tensor, Tensor]:
            kind = dtype(net, on, self.precision, training=torch.is_grad_enabled())
            with autocast(on, kind):
                return net(x)

        return run

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """{"features": float32 (N, D) of length 1}, the trunk's of the images as they are."""
        net = self.fitted("embed")
        self.check_size(pixels)
        run, on = self.in_precision(), next(net.parameters()).device
        h = batched(lambda some: [run(2 * as_tensor(some).to(on) - 1)[0]], pixels, progress, BATCH)
        return {"features": F.normalize(torch.from_numpy(h[0])).numpy()}


@dataclass
class FromScratch(Contrastive):
    """Whose trunk is a residual network."""

    depth: Literal[10, 18, 34, 50] = 18  # layers of the residual network
    width: int = 64  # of its first stage
    stem: Literal["small", "large"] = "small"  # large: for images of 224 pixels

    FACTS = extended(
        Contrastive.FACTS,
        depth=one_of(*BLOCKS), width=whole(most=4096), stem=one_of(*STEMS),
    )  # fmt: skip

    def prepare(self, given: Given, **facts) -> None:
        super().prepare(given, **facts, **{name: getattr(self, name) for name in NETWORK})

    def trunk(self) -> nn.Module:
        return resnet(self.facts["channels"], *(self.facts[name] for name in NETWORK))


def check_classes(given: Given, who: str) -> int:
    """How many classes the normal images are of; ValueError for one alone."""
    count = len(np.unique(given.normal.labels))
    if count < 2:
        raise ValueError(
            f"{who}: all normal images are of one class, so that labels say nothing; set `normals:"
            " all` or `each-not` in the experiment's entry, or take the detector without labels"
        )
    return count


def numbers_of(seeds: np.ndarray, *shape: int) -> Tensor:
    """Uniform random numbers float32 (N, *shape); a row depends on its own seed of (N,) alone."""
    rows = [np.random.default_rng(int(seed)).random(shape, np.float32) for seed in seeds]
    return torch.from_numpy(np.stack(rows))


def over_views(
    of: Callable[[Tensor, Tensor], list[Tensor]],
    pixels: np.ndarray,
    seeds: np.ndarray | None,
    looks: tuple[int, int],
    progress: Progress,
) -> list[np.ndarray]:
    """Arrays float32 (N, ...) of the tensors (n, ...) that of(x, u) makes of n images x (n, C, S,
    S) in [0, 1] and the random numbers u (n, *looks, NUMBERS) of their seeds."""
    seeds = pixel_seeds(pixels) if seeds is None else seeds
    n = len(pixels)
    if not n:  # for the shapes
        pixels, seeds = np.zeros((1, *pixels.shape[1:]), np.uint8), np.zeros(1, np.uint64)

    def some(rows: np.ndarray) -> list[Tensor]:
        return of(as_tensor(pixels[rows]), numbers_of(seeds[rows], *looks, NUMBERS))

    most = max(1, BATCH // (looks[0] * looks[1]))
    return [array[:n] for array in batched(some, np.arange(len(pixels)), progress, most)]


def _lars(weights: list, o: Contrastive) -> torch.optim.Optimizer:
    from timm.optim import Lars  # You et al. 2017; torch has none

    recipe = {"trust_coeff": 1e-3, "eps": 1e-8, "always_adapt": True}
    return Lars(weights, o.lr, o.momentum, weight_decay=o.weight_decay, **recipe)


OPTIMIZERS = {
    "lars": _lars,  # on all weights, biases and batch norms too, as in CSI's code
    "sgd": lambda w, o: torch.optim.SGD(w, o.lr, o.momentum, weight_decay=o.weight_decay),
    "adamw": lambda w, o: torch.optim.AdamW(w, o.lr, weight_decay=o.weight_decay),
}
