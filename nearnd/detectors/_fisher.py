"""The diagonal of a Fisher matrix: which weights a network's answers hang on (EWC)."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from timm.models import load_state_dict
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from nearnd.files.fetch import verify
from nearnd.networks.backbone import Features
from nearnd.networks.transform import View, view

CHUNK = 4  # images whose gradients are held at once, each as large as the trained weights


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


def of_features(model: nn.Module, pixels: np.ndarray, how: View, seed: int) -> dict[str, Tensor]:
    """F_i = E_x (1/d) sum_j (d f_j(x) / d theta_i)^2 of the trained weights: the Fisher matrix of a
    Gaussian with mean f(x) (d features) and covariance d I, x from uint8 (N, H, W, C).

    Needs no labels and no classifier. log p = (y - f(x))^2 / -2d with y drawn from the model has
    the gradient v . df / sqrt(d), v ~ N(0, I); one v for each image, drawn with the seed.
    """
    on = next(model.parameters()).device
    trained = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    random = torch.Generator().manual_seed(seed)
    d = model.num_features

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


def from_file(path: Path, sha256: str | None, model: nn.Module) -> dict[str, Tensor]:
    """The diagonals of the trained weights, by parameter name, from a .safetensors or .pth file.

    ValueError if the file lacks one, or it has another shape or a negative value.
    """
    verify(path, sha256)
    there = load_state_dict(str(path), weights_only=True)
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
