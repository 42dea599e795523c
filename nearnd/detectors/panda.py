"""PANDA: a backbone's features of normal images, drawn towards their mean for a while.

Reiss et al., "PANDA: Adapting Pretrained Features for Anomaly Detection and Segmentation", CVPR
2021. The features would collapse into one point: training is short, or EWC ties the weights. The
method's score is DN2's (`kind: knn`, k = 2). The defaults are those of the authors' code. Not here:
sample-wise early stopping, which that code lacks too.
"""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from nearnd.detectors._trained import Given
from nearnd.detectors._tuned import Tuned, change
from nearnd.files.fetch import verify
from nearnd.files.weights import state_dict
from nearnd.jobs.device import device
from nearnd.networks.backbone import Features, width
from nearnd.networks.batches import batch_rows
from nearnd.networks.transform import View, view

NEEDS = ["backbone"]
EMBEDS = ["features"]
FILES = {
    "fisher": {
        "checksum": "fisher_sha256",
        "hint": "The authors link fisher_diagonal.pth, of ResNet-152 on ImageNet, in the README of"
        " github.com/talreiss/PANDA (by hand). `fisher: null` computes another one.",
    }
}
CHUNK = 4  # images whose gradients are held at once, each as large as the trained weights
log = logging.getLogger("nearnd")


def work(about, *, iterations: int, batch: int, freeze, **rest) -> dict:
    """See contracts.py."""
    saved = freeze if isinstance(freeze, float | int) else 0  # of names it is not known
    return {"shown": iterations * batch, "batch": batch, "passes": 3 - saved}


@dataclass
class Panda(Tuned):
    """mean |f(x) - c|^2 / d, with c the mean of the pretrained features of the normal images, plus,
    if `ewc`, that times sum_i F_i (theta_i - theta0_i)^2 / 2. No augmentation.

    F is the diagonal of a Fisher matrix. Without a file one is computed on the normal training
    images, of the features in place of ImageNet's class probabilities (`fisher_of_features`): a
    backbone's file has no classifier, and ImageNet is seldom at hand. That one has another scale
    than the published file, to which 1e4 belongs. Training
    sees the centre `crop` too.
    """

    iterations: int = 2300  # the paper's rule, whatever the number of images
    lr: float = 1e-2
    momentum: float = 0.9
    weight_decay: float = 5e-5
    clip: float = 1e-3  # of the global gradient norm: this and lr set the size of every step
    batch: int = 32
    ewc: float = 0.0  # 1e4, with 50 epochs, in the authors' EWC variant
    fisher: str | None = None  # file of F by parameter name (.safetensors, .pth); null: computed
    fisher_sha256: str | None = None  # its checksum

    def learn(self, given: Given) -> None:
        """Trains on normal images. The centre, the weights that EWC ties to and the Fisher diagonal
        are the pretrained network's, also when a killed job goes on."""
        net, pixels, how = self.open(given), given.normal.pixels, self.how
        run = self.in_precision(Features(net))
        before = self.features_of(net, pixels)  # (N, D)
        c = torch.from_numpy(before.mean(axis=0)).to(device())  # (D,)
        tie = self._tie(net, pixels, given.seed) if self.ewc else None

        def loss(step: int) -> Tensor:
            rows = batch_rows(step, len(pixels), self.batch, given.seed)
            z = run(view(pixels[rows], how)).float()  # (B, D)
            value = compactness(z, c)
            return value if tie is None else value + self.ewc * tie()

        self.descend(given, net, loss, self.iterations)
        self.net = net
        log.info(change(before, self.features_of(net, pixels)))

    def _tie(self, net: nn.Module, pixels: np.ndarray, seed: int) -> Callable[[], Tensor]:
        """The function that gives sum_i F_i (theta_i - theta0_i)^2 / 2 of the trained weights."""
        if self.fisher:
            f = fisher_from_file(self.fisher, self.fisher_sha256, net)
        else:
            f = fisher_of_features(net, pixels, self.how, seed)
        trained = {name: p for name, p in net.named_parameters() if p.requires_grad}
        start = {name: p.detach().clone() for name, p in trained.items()}
        return lambda: sum(
            (f[name] * (p - start[name]).square()).sum() / 2 for name, p in trained.items()
        )


def compactness(z: Tensor, c: Tensor) -> Tensor:
    """mean_n |z_n - c|^2 / d of features (N, d)."""
    return (z - c).square().mean()


# ---- the diagonal of a Fisher matrix: which weights a network's answers hang on (EWC) ----


def add_squares(
    total: dict[str, Tensor], log_p: Callable, weights: dict[str, Tensor], *samples: Tensor
) -> None:
    """Adds sum_n (d log_p(weights, *sample n) / d weights)^2 to `total`, squared for each sample.

    log_p gives a number for one sample, without the axis of samples (N, ...).
    """
    each = (None, *(0 for _ in samples))
    with sdpa_kernel(SDPBackend.MATH):  # the only attention that vmap has a rule for on CPUs
        gradients = vmap(grad(log_p), in_dims=each, chunk_size=CHUNK)(weights, *samples)
    for name, g in gradients.items():
        total[name] += g.square().sum(0)


def fisher_of_features(
    model: nn.Module, pixels: np.ndarray, how: View, seed: int
) -> dict[str, Tensor]:
    """F_i = E_x (1/d) sum_j (d f_j(x) / d theta_i)^2 of the trained weights: the Fisher matrix of a
    Gaussian with mean f(x) (d features) and covariance d I, x from uint8 (N, H, W, C).

    Needs no labels and no classifier. log p = (y - f(x))^2 / -2d with y drawn from the model has
    the gradient v . df / sqrt(d), v ~ N(0, I); one v for each image, drawn with the seed.
    """
    on = next(model.parameters()).device
    trained = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    random = torch.Generator().manual_seed(seed)
    d = width(model)

    def log_p(weights: dict[str, Tensor], x: Tensor, v: Tensor) -> Tensor:
        h = functional_call(
            Features(model), {f"backbone.{k}": w for k, w in weights.items()}, x[None]
        )
        return h[0] @ v / math.sqrt(d)

    total = {name: torch.zeros_like(p) for name, p in trained.items()}
    for i in range(0, len(pixels), CHUNK):
        x = view(pixels[i : i + CHUNK], how).to(on)  # (n, C, H, W)
        v = torch.randn(len(x), d, generator=random).to(on)
        add_squares(total, log_p, trained, x, v)
    return {name: t / len(pixels) for name, t in total.items()}


def fisher_from_file(path: Path, sha256: str | None, model: nn.Module) -> dict[str, Tensor]:
    """The diagonals of the trained weights, by parameter name, from a .safetensors or .pth file.

    ValueError if the file lacks one, or it has another shape or a negative value.
    """
    verify(path, sha256)
    there = state_dict(path)
    found = {}
    for name, p in model.named_parameters():
        if not p.requires_grad:
            continue
        f = there.get(name)
        if f is None or f.shape != p.shape or not bool((f >= 0).all()):
            what = "is missing" if f is None else f"is {tuple(f.shape)} or has negative values"
            raise ValueError(
                f"{path}: the Fisher diagonal of {name} {what}; the file must hold a tensor"
                f" {tuple(p.shape)} of that name, not negative: change `fisher` in the entry"
            )
        found[name] = f.to(p.device, torch.float32)
    return found


build = Panda
