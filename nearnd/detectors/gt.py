"""GT: which of 72 geometric transformations is it? Golan and El-Yaniv, "Deep Anomaly Detection
Using Geometric Transformations", 2018.

The defaults are the authors' code's for 32 pixels: WRN-10-4, Adam, 3 passes over the 72-fold set
(200 over the images, divided by 72 and rounded up). Scores: `dirichlet`, theirs; `right_answer`,
its simple form. For cats and dogs (64 pixels) they take WRN-16-8; MNIST's 28 pixels get a black
`border` of 2. Deviation: initial weights of convolutions have the variance of fan-out, theirs of
fan-in.
"""

from dataclasses import dataclass
from itertools import product

import torch

from nearnd.detectors._transformed import Asked, Transformed, work_of
from nearnd.networks.geometry import Change

NEEDS = []
EMBEDS = ["features", "right", "log_p"]
RANGES = {"shift": (1, 16384)}


def transformations(shift: int) -> Asked:
    """One question of 72 answers: mirrored or not, moved up or down, left or right by `shift`
    pixels or not, and turned by 0, 90, 180 or 270 degrees. In the order of the authors' code."""
    moves = (0, shift, -shift)
    changes = [Change(*c) for c in product((False, True), moves, moves, range(4))]
    return Asked(changes, torch.arange(len(changes))[:, None], [len(changes)])


def work(about, *, depth, width, epochs, iterations, batch, **rest) -> dict:
    """See contracts.py."""
    how = {"depth": depth, "width": width, "epochs": epochs, "iterations": iterations}
    return work_of(about, transformations(1), **how, batch=batch, stack=1)


@dataclass
class GT(Transformed):
    """Each image of a batch has one transformation, all of them before one comes again."""

    depth: int = 10
    width: int = 4
    shift: int | None = None  # pixels of a translation; null: a quarter of the side, 8 of 32 and 16
    # of 64 as the authors'
    epochs: int = 3
    batch: int = 128
    lr: float = 1e-3  # Adam's, Keras' default
    weight_decay: float = 5e-4  # of all weights; a penalty of 0.00025 |w|^2 in the authors' code

    asked = staticmethod(transformations)

    def optimizer(self, parameters):
        return torch.optim.Adam(parameters, self.lr, weight_decay=self.weight_decay)


build = GT
