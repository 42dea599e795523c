"""A network that says which transformation an image went through, trained on normal images.

Of images unlike these it is less sure. The transformations are those of `networks.geometry`; a kind
says which ones, and what is asked of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from nearnd.contracts import Embedding, Network, Progress, silent
from nearnd.detectors._trained import Given, Trained, batched
from nearnd.files.header import number, record, whole
from nearnd.jobs.device import device
from nearnd.networks.augment import as_tensor, flipped, shifted
from nearnd.networks.batches import batch_rows, steps_per_epoch
from nearnd.networks.geometry import Change, seen, table
from nearnd.networks.heads import Heads, log_answers, of_right
from nearnd.networks.schedules import cosine
from nearnd.networks.wide_resnet import check_depth, named, stage_widths

BATCH = 512  # transformed images embedded at a time


class Asked(NamedTuple):
    """T transformations, and Q questions about each."""

    changes: Sequence[Change]  # T of them; the first changes nothing
    answers: Tensor  # int64 (T, Q), the right ones
    sizes: Sequence[int]  # Q, how many answers a question has


def work_of(about, asked: Asked, *, depth, width, epochs, iterations, batch, stack) -> dict:
    """See `work` in contracts.py. `stack`: transformations of one image in a batch; an image counts
    once, with all of its transformations."""
    from nearnd.networks import flops

    net, count = flops.wide_resnet(about.side, about.channels, depth, width), len(asked.changes)
    given = asked.answers.numel() + (count * sum(asked.sizes) if len(asked.sizes) == 1 else 0)
    images, at_once = about.images + about.outliers, batch * stack / count
    shown = iterations * at_once if iterations else epochs * images
    whole = Network(net.flops * count, net.weights, net.features + given)
    return {"network": whole, "shown": shown, "batch": at_once}


@dataclass
class Transformed(Trained):
    """A kind adds `asked(shift)`; `repeat`, see `geometry.changed`; and `optimizer(parameters)`.

    A batch has `batch` times `stack` images: `stack` transformations that follow each other in
    `asked`, of each of `batch` images.
    """

    depth: int = 16  # of a wide residual network, 6n + 4 layers
    width: int = 4
    dropout: float = 0.0
    border: int = 0  # black pixels put around the images first
    epochs: int = 1  # passes over all transformations of all images
    iterations: int | None = None  # updates in place of `epochs`; null: as many as these take
    batch: int = 128

    FACTS = record(
        side=whole(), channels=whole(most=64), border=whole(0, 1000), shift=whole(),
        depth=whole(10, 1000), width=whole(most=1000), dropout=number(0, 1),
    )  # fmt: skip
    shift = None  # pixels of a translation; None: a quarter of the side
    repeat, stack = True, 1
    flip, pad = False, 0  # of training images: mirrored half of the time; moved by up to `pad`
    anneal = False  # the learning rate falls as a cosine, to 1e-6

    def __post_init__(self):
        check_depth(self.depth, self.kind)

    def learn(self, given: Given) -> None:
        """ValueError unless there are normal images, and they are square."""
        pixels = given.normal.pixels
        n, side, across, channels = pixels.shape
        if side != across or not n:
            raise ValueError(
                f"{self.kind} needs square normal images, it got {n} of {side} x {across}: set"
                " `size` in the dataset's entry, or choose another `normals`"
            )
        shift = self.shift or max(1, (side + 2 * self.border) // 4)
        self.facts = {"side": side, "channels": channels, "border": self.border, "shift": shift}
        self.facts |= {name: getattr(self, name) for name in ("depth", "width", "dropout")}
        torch.manual_seed(given.seed)
        self.net = net = self.untrained().to(device()).train()
        steps = self.iterations or self.epochs * steps_per_epoch(n * self._parts(), self.batch)
        optimizer = self.optimizer(net.parameters())
        rate = optimizer.param_groups[0]["lr"]
        schedule = cosine(steps, least=min(1.0, 1e-6 / rate)) if self.anneal else None
        given.train(net, optimizer, self.objective(given), steps=steps, schedule=schedule)

    def objective(self, given: Given) -> Callable[[int], Tensor]:
        """The loss of each step: cross-entropy with the right answers, its mean over images and
        questions."""
        show, sizes = self.shower(given.normal.pixels, given.seed), self._asked().sizes

        def loss(step: int) -> Tensor:
            x, y = show(step)
            return -of_right(log_answers(self.net(x)[1], sizes), y, sizes).mean()

        return loss

    def shower(self, pixels: np.ndarray, seed: int) -> Callable[[int], tuple[Tensor, Tensor]]:
        """A function that gives a step's input (B, C, S, S) and the right answers (B, Q)."""
        parts, on = self._parts(), next(self.net.parameters()).device
        where, answers = self._table().to(on), self._asked().answers.to(on)

        def show(step: int) -> tuple[Tensor, Tensor]:
            items = batch_rows(step, len(pixels) * parts, self.batch, seed)
            images, part = np.divmod(items, parts)
            which = torch.from_numpy(part * self.stack)[:, None] + torch.arange(self.stack)
            x = as_tensor(pixels[images])
            x = flipped(x) if self.flip else x
            x = shifted(x, self.pad) if self.pad else x
            which = which.to(on)  # (batch, stack)
            return seen(self._input(x).to(on), where[which]).flatten(0, 1), answers[which.flatten()]

        return show

    def untrained(self) -> Heads:
        f = self.facts
        trunk = named(f["channels"], f["depth"], f["width"], f["dropout"])
        return Heads(trunk, stage_widths(f["width"])[-1], self._asked().sizes)

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """float32 arrays: "features" (N, D), the trunk's of the images as they are; "right" (N, T,
        Q), log p of each question's right answer after each transformation; where there is one
        question "log_p" (N, T, K), log p of all of its answers."""
        net = self.fitted("embed")
        self.check_size(pixels)
        on, (changes, answers, sizes) = next(net.parameters()).device, self._asked()
        where, count = self._table().to(on), len(changes)

        def of(some: np.ndarray) -> list[Tensor]:
            n = len(some)
            x = seen(self._input(as_tensor(some)).to(on), where.expand(n, -1, -1))
            h, logits = net(x.flatten(0, 1))
            # float64: log p next to 0 is a difference of numbers that are not
            log_p = log_answers(logits.double(), sizes)  # (n T, K)
            right = of_right(log_p, answers.to(on).repeat(n, 1), sizes)
            found = [h.unflatten(0, (n, count))[:, 0], right.unflatten(0, (n, count))]
            return [*found, log_p.unflatten(0, (n, count))] if len(sizes) == 1 else found

        arrays = batched(of, pixels, progress, max(1, BATCH // count))
        return dict(zip(("features", "right", "log_p"), arrays, strict=False))

    def _asked(self) -> Asked:
        return self.asked(self.facts["shift"])

    def _parts(self) -> int:
        """Into how many stacks the transformations of an image fall."""
        return len(self._asked().changes) // self.stack

    def _table(self) -> Tensor:
        side = self.facts["side"] + 2 * self.facts["border"]
        return table(self._asked().changes, side, self.repeat)

    def _input(self, x: Tensor) -> Tensor:
        """What the network sees of (N, C, S, S) in [0, 1], in [-1, 1]."""
        return 2 * F.pad(x, (self.facts["border"],) * 4) - 1
