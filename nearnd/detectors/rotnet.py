"""RotNet: how was it turned? One question of four answers. Gidaris et al., "Unsupervised
Representation Learning by Predicting Image Rotations", 2018; to find anomalies, Hendrycks et al.
2019 and E3Outlier (Wang et al., NeurIPS 2019, among whose transformations are more than turns).

The recipe is that of `mhrot`, of which this is the last question alone; no code for one class is
released. Scores: `right_answer`, or `entropy` (E3Outlier's best).
"""

from dataclasses import dataclass

import torch

from nearnd.detectors._transformed import Asked, work_of
from nearnd.detectors.mhrot import MHRot
from nearnd.networks.geometry import Change

NEEDS = []
EMBEDS = ["features", "right", "log_p"]


def turns(shift: int = 1) -> Asked:
    """One question of four answers; nothing is moved."""
    changes = [Change(turns=k) for k in range(4)]
    return Asked(changes, torch.arange(4)[:, None], [4])


def work(about, *, depth, width, epochs, iterations, batch, **rest) -> dict:
    """See contracts.py."""
    how = {"depth": depth, "width": width, "epochs": epochs, "iterations": iterations}
    return work_of(about, turns(), **how, batch=batch, stack=4)


@dataclass
class RotNet(MHRot):
    """Each image of a batch is turned in all four ways; `shift` changes nothing."""

    epochs: int = 45  # as many images as MHRot's 5 epochs of 36 transformations are
    asked = staticmethod(turns)


build = RotNet
