"""What a training would cost: known before it begins, and the same on every machine."""

import numpy as np
import torch

from nearnd.contracts import Plan
from nearnd.generators._discrete import make
from nearnd.generators._noise import ImageNoise
from nearnd.generators._sde import over
from nearnd.generators.score_sde import ScoreSDE
from nearnd.jobs.training_loop import snapshot_steps

SPREAD = 0.25  # standard deviation of the pixels of the images that stand in


def plan(model: ScoreSDE) -> Plan:
    """Of the training that `train_score` would do."""
    due = snapshots_of(model.recipe)
    return Plan(due[-1], due, model.recipe["batch"], calls(model))


def snapshots_of(recipe: dict) -> list[int]:
    """The steps after which a snapshot is taken, rising; training ends with the last one."""
    due, steps = recipe["snapshots"], recipe["steps"]
    given = snapshot_steps(steps, due) if isinstance(due, int) else due
    found = sorted({step for step in given if 0 < step <= steps})
    if not found:
        raise ValueError(f"snapshots is {due}; none is a step from 1 to steps: {steps}")
    return found


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
