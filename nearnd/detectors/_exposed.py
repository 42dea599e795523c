"""Training against outlier exposure: RETH's losses, and batches half normal and half outliers.

Label y = 0 is normal, 1 an outlier. RETH: "Rethinking Assumptions in Deep Anomaly Detection", with
its official code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nearnd.contracts import Images, Progress, silent
from nearnd.jobs.training_loop import train
from nearnd.networks.batches import batch_rows

BATCH = 256  # images embedded at a time
TINY = 1e-9  # the official code's, inside the logarithm and the fraction

LINEAR = ("bce", "focal")  # losses of a logit; the others are losses of a distance
LOSSES = (*LINEAR, "hsc", "sad")
RADIAL = ("pseudo_huber", "l1", "l2", "squared")


class Exposed(nn.Module):
    """A network to codes z (N, code), and the anomaly value a (N,) that a loss is a function of.

    For bce and focal a is a linear function of z, a logit; for hsc the radial function h(z), for
    sad the squared distance |z|^2 to the origin. None of them saturates.
    """

    def __init__(self, network: nn.Module, code: int, loss: str, radial: str):
        super().__init__()
        self.network = network
        self.linear = nn.Linear(code, 1) if loss in LINEAR else None
        self.radial = "squared" if loss == "sad" else radial

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = self.network(x).float()  # (N, code)
        if self.linear is None:
            return z, distance(z, self.radial)
        return z, self.linear(z)[:, 0]


def distance(z: Tensor, radial: str) -> Tensor:
    """h(z) of RETH's appendix: how far z (N, D) is from the origin, (N,)."""
    if radial == "l1":
        return z.abs().sum(1)
    if radial == "l2":
        return torch.linalg.vector_norm(z, dim=1)  # its gradient at the origin is 0, not NaN
    square = z.square().sum(1)  # (N,)
    return square if radial == "squared" else torch.sqrt(square + 1) - 1


def losses(a: Tensor, y: Tensor, loss: str, gamma: float = 2.0) -> Tensor:
    """The loss of each image (N,), from its anomaly value a (N,) and its label y (N,) in 0, 1."""
    if loss == "bce":
        return F.binary_cross_entropy_with_logits(a, y, reduction="none")
    if loss == "focal":
        from torchvision.ops import sigmoid_focal_loss

        return sigmoid_focal_loss(a, y, alpha=-1, gamma=gamma)  # alpha below 0: no weights
    if loss == "hsc":
        return torch.where(y == 1, -torch.log(TINY - torch.expm1(-a)), a)
    return torch.where(y == 1, 1 / (a + TINY), a)


def train_exposed(
    net: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    see: Callable[[np.ndarray], Tensor],
    normals: np.ndarray,
    outliers: np.ndarray,
    optimizer: torch.optim.Optimizer,
    *,
    epochs: int,
    milestones: Sequence[int],
    batch: int,
    seed: int,
    folder: Path | None,
    progress: Progress = silent,
) -> None:
    """`epochs` passes over the normals, each batch beside as many outliers, in one forward pass.

    `see` gives the network's input of uint8 images, changed by chance; `loss(x, y)` is what is made
    smaller. The learning rate falls to a tenth at each of `milestones` (epochs). Where a batch does
    not fit into an epoch it takes from the next one, so one of `epochs` can be cut short.
    """
    n = len(normals)
    on = next(net.parameters()).device
    y = torch.cat([torch.zeros(batch), torch.ones(batch)]).to(on)  # (2 batch,)

    def step_loss(step: int) -> Tensor:
        rows = batch_rows(step, n, batch, seed)
        others = outlier_rows(step, len(outliers), batch, seed)
        x = see(np.concatenate([normals[rows], outliers[others]])).to(on)
        return loss(x, y)

    train(
        net, optimizer, step_loss, steps=max(1, epochs * n // batch), seed=seed, folder=folder,
        schedule=tenths(milestones, n, batch), progress=progress,
    )  # fmt: skip


def outlier_rows(step: int, m: int, batch: int, seed: int) -> np.ndarray:
    """Which of m outliers a step sees, (batch,): all of them before one comes again; if they are
    fewer than a batch, drawn with replacement."""
    if m < batch:
        return np.random.default_rng([seed, step]).integers(m, size=batch)
    return batch_rows(step, m, batch, seed + 1)  # another order than that of the normals


def tenths(milestones: Sequence[int], n: int, batch: int) -> Callable[[int], float]:
    """The factor of the learning rate at a step: a tenth after each milestone (in epochs)."""
    return lambda step: 0.1 ** sum(step * batch >= epoch * n for epoch in milestones)


@torch.inference_mode()
def embed_exposed(
    net: nn.Module, see: Callable, pixels: np.ndarray, progress: Progress
) -> dict[str, np.ndarray]:
    """{"features": z (N, code), "logit": a (N,)}, float32, in evaluation mode."""
    net.eval()
    on = next(net.parameters()).device
    parts = []
    for i in range(0, len(pixels), BATCH):
        parts.append([t.float().cpu().numpy() for t in net(see(pixels[i : i + BATCH]).to(on))])
        progress(min(i + BATCH, len(pixels)), len(pixels))
    z, a = (np.concatenate(part) for part in zip(*parts, strict=True))
    return {"features": z.astype(np.float32), "logit": a.astype(np.float32)}


def pair(who: str, normal: Images, outliers: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The two pixel arrays, or ValueError if one is empty or their images differ in size."""
    count = 0 if outliers is None else len(outliers)
    if not count or not len(normal):
        raise ValueError(
            f"{who} needs normal images and outliers, it got {len(normal)} and {count}:"
            " set `outliers` in the detector's entry"
        )
    if outliers.shape[1:] != normal.pixels.shape[1:]:
        raise ValueError(
            f"outliers are images of {outliers.shape[1:]}, normal ones of"
            f" {normal.pixels.shape[1:]}: give both the same size (`size` of the datasets)"
        )
    return normal.pixels, outliers


def check(who: str, loss: str, radial: str) -> None:
    """ValueError for a loss or a radial function that there is not."""
    for name, value, known in (("loss", loss, LOSSES), ("radial", radial, RADIAL)):
        if value not in known:
            raise ValueError(f"{who}: {name} is {value!r}, it must be one of {', '.join(known)}")
