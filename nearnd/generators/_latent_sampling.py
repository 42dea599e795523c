"""Images from a snapshot of a generator on latent variables, each from a seed of its own."""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from nearnd.files import header
from nearnd.files.arrays import load_tensors
from nearnd.files.header import WORDS, record, whole
from nearnd.generators._data import to_uint8
from nearnd.generators._latent import Latent
from nearnd.generators._noise import ImageNoise
from nearnd.jobs.device import device
from nearnd.networks.backbone import rebuilt
from nearnd.networks.micro_batch import MicroBatch

FACTS = record(
    network=record(size=whole(), channels=whole(most=64)) | {"additionalProperties": WORDS}
)


def sample(model: Latent, snapshot: Path, seeds: np.ndarray) -> np.ndarray:
    """uint8 (n, S, S, C). The last batch is filled up to the size of the others: products of
    another number of rows add up in another order, and a grey level in a million is rounded
    otherwise."""
    net, network = load_snapshot(model, snapshot)
    dev, size, channels = device(), network["size"], network["channels"]
    net = net.to(dev)
    out = np.empty((len(seeds), size, size, channels), np.uint8)
    micro = MicroBatch(model.sample_batch)

    def fill(rows: slice) -> None:
        noise = ImageNoise(np.resize(seeds[rows], micro.size), (), dev)
        images = model.draw(net, noise)  # (B, C, S, S)
        out[rows] = to_uint8(images, centered=True)[: rows.stop - rows.start]

    with torch.inference_mode():
        micro.each(len(seeds), fill)
    return out


def load_snapshot(model: Latent, snapshot: Path) -> tuple[nn.Module, dict]:
    """The network of a snapshot, ready to draw, and its arguments. ValueError, which names the
    file, if it is another kind's, or does not have exactly the weights of the network it names."""
    arrays, facts = load_tensors(snapshot)
    if facts.get("kind") != model.kind:
        raise ValueError(f"{snapshot} is not a snapshot of a {model.kind} generator")
    header.check(facts, FACTS, snapshot)
    network = facts["network"]
    return rebuilt(snapshot, arrays, partial(model.bare, **network)), network
