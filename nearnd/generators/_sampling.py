"""Images from a snapshot of a score network, each from a seed of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from nearnd.arrays import load_tensors
from nearnd.device import device
from nearnd.generators._data import to_uint8
from nearnd.generators._heun import heun
from nearnd.generators._noise import ImageNoise
from nearnd.generators._pc import predictor_corrector
from nearnd.generators._precision import in_precision
from nearnd.generators._sde import SDES
from nearnd.networks.unet import UNet

SAMPLERS = {"pc": predictor_corrector, "heun": heun}


def sample(
    snapshot: Path, seeds: np.ndarray, sampling: dict, batch: int, precision: str
) -> np.ndarray:
    """uint8 (n, S, S, C), `batch` at a time. sampling: {"sampler": name, its arguments}."""
    sde, net, facts = load_snapshot(snapshot)
    dev = device()
    run = in_precision(net.to(dev).eval(), dev, precision)

    def score(x, t):  # all images are at the same time: its features are computed once
        return sde.score(run(x, sde.level(t[:1])), t)

    settings = dict(sampling)
    draw = SAMPLERS[settings.pop("sampler")]
    size, channels = facts["network"]["size"], facts["network"]["channels"]
    out = np.empty((len(seeds), size, size, channels), np.uint8)
    with torch.inference_mode():
        for i in range(0, len(seeds), batch):
            noise = ImageNoise(seeds[i : i + batch], (channels, size, size), dev)
            out[i : i + batch] = to_uint8(draw(sde, score, noise, **settings), sde.centered)
    return out


def load_snapshot(snapshot: Path) -> tuple:
    """The SDE, the network and the header of a snapshot."""
    arrays, facts = load_tensors(snapshot)
    if facts.get("kind") != "score_sde":
        raise ValueError(f"{snapshot} is not a snapshot of a score_sde generator")
    net = UNet(**facts["network"])
    net.load_state_dict({name: torch.from_numpy(a) for name, a in arrays.items()})
    return SDES[facts["sde"]](**facts["process"]), net, facts
