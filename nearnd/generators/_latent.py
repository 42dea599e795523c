"""What generators share that draw an image from latent variables: G(z), in one pass of a network.

A kind is a dataclass on `Latent`, whose fields are an entry's arguments, those of Latent too. It
adds the three methods below; `train`, `sample` and `plan`, and with them snapshots, going on after
a kill and images that depend on their seeds alone, are then there. Its file says

    from nearnd.generators._latent import snapshots, training_steps  # noqa: F401 - see contracts.py

This file is read while a workflow is planned: it loads no torch at the top.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nearnd.contracts import Plan
from nearnd.files.snapshots import due

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

Noise = Callable[..., "Tensor"]  # noise(*shape): the next standard-normal draw (n, *shape)


class Training(NamedTuple):
    """A training that has not begun; see `jobs.training_loop.loop`."""

    step: Callable[[int], float | dict[str, float]]
    parts: dict[str, Any]  # all that the steps change: networks and optimizers by name
    drawn: str  # the part whose weights a snapshot keeps
    # parts whose weights are averaged -> rate (`jobs.average`)
    ema: dict[str, float | Callable[[int], float]] = {}  # noqa: RUF012
    # what is done to a state dict of `drawn` before it is kept; not the live tensors, which stay
    settle: Callable[[dict[str, "Tensor"]], dict[str, "Tensor"]] = lambda weights: weights


@dataclass(kw_only=True)
class Latent(ABC):
    """The contract `Generator`. Images are square and, for a network, in [-1, 1]."""

    batch: int
    steps: int
    snapshots: int | Sequence[int]  # the steps, or how many, at geometric distances
    flip: bool = True  # every second image that is shown is mirrored, left to right
    sample_batch: int = 64  # images drawn at a time, always so many: see _latent_sampling.py

    def __post_init__(self) -> None:
        due(self.steps, self.snapshots)

    # ---- what a kind adds ----

    @abstractmethod
    def network(self, size: int, channels: int) -> dict[str, Any]:
        """The arguments of `bare` for images of so many pixels a side, size and channels among
        them; JSON values, which a snapshot's header keeps. ValueError for a size it has not."""

    @staticmethod
    @abstractmethod
    def bare(**network: Any) -> "nn.Module":
        """The network that draws: net(z) is (n, C, S, S) in [-1, 1] for z (n, net.latent). A header
        from outside may ask for anything: it is called on tensors without memory first."""

    @abstractmethod
    def training(
        self, network: dict[str, Any], show: Callable[[int], "Tensor"], dev: "torch.device"
    ) -> Training:
        """Of the network with these arguments. show(k): the k-th batch of images, k = 0, 1, ...,
        (B, C, S, S) in [-1, 1] on `dev`. Torch's random numbers are seeded already."""

    def draw(self, net: "nn.Module", noise: Noise) -> "Tensor":
        """Images (n, C, S, S) in [-1, 1], of as many draws of `noise` as it takes."""
        return net(noise(net.latent))

    # ---- what they share ----

    @property
    def kind(self) -> str:
        """The name of the file that the class is of."""
        return type(self).__module__.rpartition(".")[2]

    def plan(self) -> Plan:
        """See the contract: an image takes one call of the network."""
        steps = due(self.steps, self.snapshots)
        return Plan(steps[-1], steps, self.batch, 1)

    def train(self, pixels: np.ndarray, *, labels: np.ndarray | None = None, **given: Any) -> None:
        """See the contract; uint8 (N, S, S, C). Labels are not looked at: the network learns the
        images of all classes together."""
        from nearnd.generators._latent_training import train_latent

        train_latent(self, pixels, **given)

    def sample(self, snapshot: Path, seeds: np.ndarray) -> np.ndarray:
        """See the contract; the network is that of the snapshot."""
        from nearnd.generators._latent_sampling import sample

        return sample(self, snapshot, seeds)


def halvings(size: int, kind: str) -> int:
    """How often images of `size` pixels are halved down to 4. ValueError if that does not go."""
    times = size.bit_length() - 3
    if times < 1 or size != 4 << times:
        raise ValueError(
            f"{kind} takes images whose side is 8, 16, 32, 64 or a higher power of two, these have"
            f" {size} pixels: set `size` in the dataset's entry"
        )
    return times


def training_steps(*, steps: int, **rest: Any) -> int:
    """See contracts.py."""
    return steps


def snapshots(*, steps: int, snapshots: int | Sequence[int], **rest: Any) -> list[int]:
    """See contracts.py."""
    return due(steps, snapshots)
