"""What a training would cost: known before it begins, and the same on every machine."""

import numpy as np
import torch

from nearnd.contracts import Plan
from nearnd.files.snapshots import due
from nearnd.generators._discrete import make
from nearnd.generators._noise import ImageNoise
from nearnd.generators._sde import over
from nearnd.generators.score_sde import ScoreSDE

SPREAD = 0.25  # standard deviation of the pixels of the images that stand in


def plan(model: ScoreSDE) -> Plan:
    """Of the training that `train_score` would do."""
    steps = due(model.recipe["steps"], model.recipe["snapshots"])
    return Plan(steps[-1], steps, model.recipe["batch"], calls(model))


def calls(model: ScoreSDE) -> float:
    """How often the sampler calls the network for one image.

    Counted on the exact score of Gaussian images: the number itself for samplers of fixed steps, a
    low estimate for the adaptive one.
    """
    process = model.process
    if process.get("sigma_max") == "data":
        process = process | {"sigma_max": 50.0}  # the number of steps does not depend on it
    sde, count = make(model.sde, process), 0

    def score(x, t):
        nonlocal count
        count += len(x) == 1  # not the pilot images of the adaptive sampler
        m, std = (over(a) for a in sde.marginal(t))
        return -x / (std**2 + (m * SPREAD) ** 2)

    model.sampler(sde, score, ImageNoise(np.zeros(1, np.uint64), (1, 4, 4), torch.device("cpu")))
    return count
