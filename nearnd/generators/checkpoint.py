"""A score network that somebody trained with the public score_sde_pytorch code."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nearnd.contracts import Plan
from nearnd.generators import score_sde

FILES = {
    "weights": {
        "checksum": "sha256",
        "hint": "The README of github.com/yang-song/score_sde_pytorch links the official files"
        " (Google Drive, so by hand).",
    }
}
TOY = {
    "model": {
        "kind": "score_sde", "nf": 16, "channel_mult": [1, 2], "blocks": 1, "attention": [],
        "sigma_max": 8.0, "sampler": {"kind": "heun", "steps": 3},
    }
}  # fmt: skip


def training_steps(**arguments: Any) -> int:
    """See contracts.py: the file is read."""
    return 0


def work(about, *, model: Mapping[str, Any], sampler=None, **rest: Any) -> dict[str, Any]:
    """See contracts.py; the file need not be there, so its step is not known."""
    entry = {key: value for key, value in model.items() if key != "kind"}
    found = score_sde.work(about, **entry | ({"sampler": sampler} if sampler else {}))
    return found | {"plan": found["plan"]._replace(steps=0, snapshots=[0], batch=0)}


class Checkpoint:
    """The contract `Generator`: training is reading; sampling is that of `score_sde`."""

    def __init__(self, like: score_sde.ScoreSDE, weights: str, sha256: str | None, take: str):
        self.like, self.weights, self.sha256, self.take = like, weights, sha256, take

    def plan(self) -> Plan:
        """See the contract: one snapshot, nothing is trained."""
        from nearnd.generators._official import read_step
        from nearnd.generators._plan import calls

        step = read_step(self.weights)
        return Plan(step, [step], 0, calls(self.like))

    def train(self, pixels: np.ndarray, *, folder: Path, monitor: Callable, **rest: Any) -> None:
        """Writes the checkpoint as the one snapshot. uint8 (N, S, S, C) gives the network's size
        and channels, nothing else is taken from the images. ValueError, which names the tensor, if
        the file is not of exactly this network."""
        from nearnd.files.fetch import verify
        from nearnd.generators._import import write_snapshot

        verify(self.weights, self.sha256)
        step, file = write_snapshot(self.like, self.weights, self.take, pixels.shape, folder)
        monitor(step, file)

    def sample(self, snapshot: Path, seeds: np.ndarray) -> np.ndarray:
        """See the contract."""
        return self.like.sample(snapshot, seeds)

    def sample_counted(self, snapshot: Path, seeds: np.ndarray) -> tuple[np.ndarray, float]:
        """The images, and how often the network was called for each, on average."""
        return self.like.sample_counted(snapshot, seeds)


def build(
    weights: str = "",
    model: Mapping[str, Any] | None = None,
    take: Literal["ema", "model"] = "ema",
    sha256: str | None = None,
    sampler: Mapping[str, Any] | None = None,
) -> Checkpoint:
    """weights: the file `checkpoint_<k>.pth`: a path, a link, or a name to look for in `mirrors`.
    model: the entry of kind score_sde that the file was trained with.
    take: "ema", the averaged weights, which the published numbers are of, or "model", the last.
    sampler: an entry of samplers. None: that of the model.
    """
    if not weights:
        raise ValueError("weights is not given; it must be a checkpoint_<k>.pth, a link or a name")
    entry = dict(model or {})
    if (kind := entry.pop("kind", "score_sde")) != "score_sde":
        raise ValueError(f"model is of kind {kind}; it may be an entry of kind score_sde")
    if entry.get("sigma_max") == "data":
        raise ValueError('model: sigma_max is "data"; it must be the number of the checkpoint')
    if sampler is not None:
        entry["sampler"] = sampler
    return Checkpoint(score_sde.build(**entry), weights, sha256, take)


def check(**arguments: Any) -> None:
    """ValueError if an entry cannot work; for the check of a config, without torch."""
    build(**arguments)
