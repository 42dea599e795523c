"""MHRot: how was it moved down, right, and turned? Three questions to one network. Hendrycks et
al., "Using Self-Supervised Learning Can Improve Model Robustness and Uncertainty", 2019; "GT+" in
RETH.

The released code for one class is that of ImageNet-30: 5 epochs of SGD with a cosine, 64 images a
batch, each moved in one of 9 ways and turned in all four. The defaults are its, with what its
code for classifiers of CIFAR-10 has for 32 pixels: moves of 8, random crops after 4 black pixels,
mirror images. Not stated anywhere, so our choice: WRN-16-4 with dropout 0.3 for its ResNet-18. The
score is `right_answer`, of probabilities.
"""

from dataclasses import dataclass
from itertools import product

import torch

from nearnd.detectors._transformed import Asked, Transformed, work_of
from nearnd.networks.geometry import Change

NEEDS = []
EMBEDS = ["features", "right"]
RANGES = {"shift": (1, 16384)}


def transformations(shift: int) -> Asked:
    """Three questions of 3, 3 and 4 answers about 36 transformations; those that differ in turns
    alone follow each other."""
    moves = (0, shift, -shift)
    answers = list(product(range(3), range(3), range(4)))
    changes = [Change(False, moves[i], moves[j], turns) for i, j, turns in answers]
    return Asked(changes, torch.tensor(answers), [3, 3, 4])


def work(about, *, depth, width, epochs, iterations, batch, **rest) -> dict:
    """See contracts.py."""
    how = {"depth": depth, "width": width, "epochs": epochs, "iterations": iterations}
    return work_of(about, transformations(1), **how, batch=batch, stack=4)


@dataclass
class MHRot(Transformed):
    """Each image of a batch is moved in one way and turned in all four."""

    depth: int = 16
    width: int = 4
    dropout: float = 0.3
    shift: int | None = None  # pixels of a translation; null: a quarter of the side, 8 of 32 and 56
    # of 224 as the authors'
    epochs: int = 5  # all 36 transformations of all images in each
    batch: int = 64  # images, each turned in four ways
    lr: float = 0.1
    momentum: float = 0.9  # Nesterov's
    weight_decay: float = 5e-4
    flip: bool = True  # training images are mirrored half of the time
    pad: int = 4  # and moved by up to so many pixels, black ones come in; 0: not

    asked = staticmethod(transformations)
    repeat, stack, anneal = False, 4, True

    def optimizer(self, parameters):
        nesterov = {"momentum": self.momentum, "nesterov": self.momentum > 0}
        return torch.optim.SGD(parameters, self.lr, weight_decay=self.weight_decay, **nesterov)


build = MHRot
