"""Images from a snapshot of a score network, each from a seed of its own."""

from functools import partial
from pathlib import Path

import numpy as np
import torch

from nearnd.files import header
from nearnd.files.arrays import load_tensors
from nearnd.files.header import WORDS, number, one_of, record, whole
from nearnd.generators._below import Below, on
from nearnd.generators._data import to_float, to_uint8
from nearnd.generators._discrete import make
from nearnd.generators._noise import ImageNoise
from nearnd.generators._precision import in_precision
from nearnd.generators.score_sde import ScoreSDE
from nearnd.jobs.device import device
from nearnd.networks.backbone import rebuilt
from nearnd.networks.micro_batch import MicroBatch
from nearnd.networks.unet import UNet

FACTS = record(
    sde=one_of("ve", "vp", "subvp"),
    process={"type": "object", "additionalProperties": number(0)},
    network=record(size=whole(), channels=whole(most=64)) | {"additionalProperties": WORDS},
)


def sample(
    model: ScoreSDE,
    snapshot: Path,
    seeds: np.ndarray,
    images: np.ndarray | None = None,
    strength: float = 0.0,
) -> tuple[np.ndarray, float]:
    """uint8 (n, S, S, C), `sample_batch` at a time, and the calls of the network for each, on
    average. Network and SDE are those of the snapshot. With images uint8 (n, S, S, C) it goes out
    from these and noise of the deviation `strength`, of pixels in [0, 1], in place of noise alone.
    """
    sde, net, facts = load_snapshot(snapshot)
    if images is not None:
        sde = Below(sde, strength)
    dev = device()
    run = in_precision(net.to(dev).eval(), dev, model.precision)
    seen = 0

    def score(x, t):
        nonlocal seen
        seen += len(x)
        return sde.score(run(x, sde.level(t)), t)

    size, channels = facts["network"]["size"], facts["network"]["channels"]
    out = np.empty((len(seeds), size, size, channels), np.uint8)

    def fill(rows: slice) -> None:
        noise = ImageNoise(seeds[rows], (channels, size, size), dev)
        if images is not None:
            noise = on(noise, to_float(images[rows], dev, sde.centered), sde.highest)
        out[rows] = to_uint8(model.sampler(sde, score, noise), sde.centered)

    with torch.inference_mode():
        MicroBatch(model.sample_batch).each(len(seeds), fill)
    return out, seen / max(len(seeds), 1)


def load_snapshot(snapshot: Path) -> tuple:
    """The SDE, the network and the header of a snapshot."""
    arrays, facts = load_tensors(snapshot)
    if facts.get("kind") != "score_sde":
        raise ValueError(f"{snapshot} is not a snapshot of a score_sde generator")
    header.check(facts, FACTS, snapshot)
    try:
        sde = make(facts["sde"], facts["process"])
    except (TypeError, KeyError) as error:
        raise ValueError(f"{snapshot} names no process of its sde: {error}") from error
    return sde, rebuilt(snapshot, arrays, partial(UNet, **facts["network"])), facts
