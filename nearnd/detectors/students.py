"""Uninformed students: several small networks learn a pretrained one's map on normal images; where
they err, and where they differ, is an anomaly.

Bergmann et al. (2020), "Uninformed Students: Student-Teacher Anomaly Detection with Discriminative
Latent Embeddings", equations 5 to 11, without public code. Theirs is a teacher distilled from a
ResNet for patches of 17, 33 or 65 pixels, and students that see patches of that size too; here the
teacher is one layer of any pretrained network (`layers`), whose patches are as large as that layer
sees, and students are small networks of strided convolutions on the same grid.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nearnd.contracts import Embedding, Progress, silent
from nearnd.detectors._patches import BATCH, OnPatches
from nearnd.detectors._trained import Given, batched
from nearnd.files.header import extended, whole
from nearnd.jobs.device import device
from nearnd.networks.batches import batch_rows, steps_per_epoch
from nearnd.networks.transform import view

NEEDS = ["backbone"]
EMBEDS = ["map"]
HELD_OUT = 0.1  # of the normal images, on which errors are brought to one scale
RANGES = {"width": (1, 4096), "students": (1, 100)}


def work(about, *, epochs: int, batch: int, **rest) -> dict:
    """See contracts.py; the students' own cost is not in it."""
    return {"shown": epochs * about.images, "batch": batch, "passes": 1}


class Class(nn.Module):
    """A frozen teacher, students, and what brings their numbers to one scale."""

    def __init__(self, teacher: nn.Module, students: int, channels: int, width: int, out: int,
                 halvings: int):  # fmt: skip
        super().__init__()
        self.teacher = teacher
        self.students = nn.ModuleList(
            student(channels, width, out, halvings) for _ in range(students)
        )
        self.register_buffer("mean", torch.zeros(out, 1, 1))  # of the teacher's map
        self.register_buffer("std", torch.ones(out, 1, 1))
        self.register_buffer("scale", torch.tensor([[0.0, 1.0], [0.0, 1.0]]))  # mean and deviation
        # of the error, and of the variance

    def taught(self, maps: Tensor) -> Tensor:
        """The teacher's map (n, C, h, w) with channels of mean 0 and deviation 1."""
        return (maps - self.mean) / self.std

    def learnt(self, x: Tensor, grid) -> Tensor:
        """(students, n, C, h, w) of images (n, channels, H, W)."""
        found = [s(x) for s in self.students]
        return torch.stack([
            y if y.shape[2:] == grid else F.interpolate(y, grid, mode="bilinear") for y in found
        ])  # fmt: skip


def student(channels: int, width: int, out: int, halvings: int) -> nn.Sequential:
    """Convolutions that halve the side so often, and one that keeps it."""
    layers: list[nn.Module] = []
    for _ in range(halvings):
        layers += [nn.Conv2d(channels, width, 3, 2, 1), nn.LeakyReLU(5e-3)]
        channels = width
    layers += [nn.Conv2d(channels, width, 3, 1, 1), nn.LeakyReLU(5e-3)]
    return nn.Sequential(*layers, nn.Conv2d(width, out, 1))


@dataclass
class Students(OnPatches):
    """Students, learning rate and epochs of the paper; `layers`, null: one in the middle."""

    students: int = 3
    width: int = 128
    epochs: int = 100
    batch: int = 16  # the paper's is 1
    lr: float = 1e-4  # Adam
    weight_decay: float = 1e-5

    FACTS = extended(
        OnPatches.FACTS, students=whole(most=100), width=whole(most=4096), out=whole(),
        halvings=whole(0, 12),
    )  # fmt: skip
    usual = staticmethod(lambda known: [known[(len(known) - 1) // 2]])

    def learn(self, given: Given) -> None:
        """Trains the students on nine tenths of the normal images; the rest sets the scales."""
        model, pixels, how = self.open_maps(given), given.normal.pixels, self.how
        maps_of, n = self.maps_of(model), len(pixels)
        order = np.random.default_rng(given.seed).permutation(n)
        held = order[: max(1, round(HELD_OUT * n))]
        own = order[len(held) :] if n > 1 else held
        first = maps_of(pixels[:1])
        if len(first) != 1:
            raise ValueError(
                f"students: there are {len(first)} layers; name one as `layers` of the detector's"
                " entry"
            )
        side = first[0].shape[2]
        self.facts |= {"students": self.students, "width": self.width, "out": first[0].shape[1]}
        self.facts["halvings"] = max(0, round(np.log2(how.crop / side)))
        torch.manual_seed(given.seed)
        self.net = net = self.untrained(model).to(device())
        net.mean[:], net.std[:] = channels(maps_of, pixels, own)

        def loss(step: int) -> Tensor:
            some = pixels[own[batch_rows(step, len(own), self.batch, given.seed)]]
            target = net.taught(maps_of(some)[0].clone())
            x = view(some, how).to(target.device)
            learnt = net.learnt(x, target.shape[2:])  # (students, n, C, h, w)
            return (learnt - target).square().mean((1, 2, 3, 4)).sum()

        optimizer = torch.optim.Adam(
            net.students.parameters(), self.lr, weight_decay=self.weight_decay
        )
        steps = self.epochs * steps_per_epoch(len(own), self.batch)
        given.train(net.students, optimizer, loss, steps=steps)
        parts = batched(self._parts(net), pixels[held], silent, BATCH)
        scale = [[part.mean(), max(part.std(), 1e-12)] for part in parts]
        net.scale[:] = torch.tensor(scale).to(net.scale.device)

    def untrained(self, model: nn.Module | None = None) -> Class:
        facts, teacher = self.facts, self.trunk() if model is None else model
        sizes = len(self.how.mean), facts["width"], facts["out"], facts["halvings"]
        return Class(teacher, facts["students"], *sizes)

    def _parts(self, net: Class):
        """A function from images to the students' error and their variance, each (n, h, w)."""
        maps_of, how = self.maps_of(net.teacher), self.how

        def of(some: np.ndarray) -> tuple[Tensor, Tensor]:
            target = net.taught(maps_of(some)[0])
            learnt = net.learnt(view(some, how).to(target.device), target.shape[2:])
            error = (learnt.mean(0) - target).square().sum(1)  # equation 8
            return error, learnt.var(0, correction=0).sum(1)  # equation 10

        return of

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """{"map": float32 (N, h, w)}: error and variance, each less its mean over normal images and
        over its deviation, added (equation 11)."""
        net = self.fitted("embed")
        parts_of = self._parts(net)

        def of(some: np.ndarray) -> list[Tensor]:
            parts = zip(parts_of(some), net.scale, strict=True)
            return [sum((part - mean) / deviation for part, (mean, deviation) in parts)]

        return {"map": batched(of, pixels, progress, BATCH)[0]}


def channels(maps_of, pixels: np.ndarray, rows: np.ndarray) -> tuple[Tensor, Tensor]:
    """Mean and deviation (C, 1, 1) of the map's channels over these images."""
    total, squares, count = 0.0, 0.0, 0
    for i in range(0, len(rows), BATCH):
        x = maps_of(pixels[np.sort(rows[i : i + BATCH])])[0].double()  # (n, C, h, w)
        total = total + x.sum((0, 2, 3))
        squares = squares + x.square().sum((0, 2, 3))
        count += x[:, 0].numel()
    mean = total / count
    std = (squares / count - mean.square()).clamp(min=0).sqrt()
    std = torch.where(std > 0, std, 1.0)
    return mean[:, None, None].float(), std[:, None, None].float()


build = Students
