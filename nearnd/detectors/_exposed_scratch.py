"""What `exposed` trains from scratch: its networks, and how they see images."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from nearnd.detectors._exposed import Exposed
from nearnd.networks import augment, lenet
from nearnd.networks.wide_resnet import WideResNet


def network(facts: dict) -> Exposed:
    """The network that the facts describe, with new weights."""
    f = facts
    if f["network"] == "lenet":
        net = lenet.lenet(
            f["channels"], f["side"], f["widths"], f["hidden"], f["code"], bias=f["bias"]
        )
    else:
        trunk = WideResNet(f["channels"], f["widths"], f["per_stage"])
        head = lenet.coder(f["widths"][-1], f["hidden"], f["code"], bias=f["bias"])
        net = nn.Sequential(trunk, head)
    return Exposed(net, f["code"], f["loss"], f["radial"])


def changed(x: Tensor, o: dict) -> Tensor:
    """Training images (N, C, H, W) in [0, 1] after RETH's random changes, in its order."""
    if o["jitter"]:
        x = augment.colour_jitter(x, o["jitter"])
    if o["flip"]:
        x = augment.flipped(x)
    if o["pad"]:
        x = augment.shifted(x, o["pad"])
    return x + o["noise"] * torch.randn_like(x) if o["noise"] else x


def normalised(x: Tensor, statistics: list[list[float]]) -> Tensor:
    """(N, C, H, W) minus the mean of its channel, over the standard deviation."""
    mean, std = (torch.tensor(values)[:, None, None] for values in statistics)
    return (x - mean) / std


def levels(pixels: np.ndarray) -> dict[str, list[float]]:
    """Mean and standard deviation of each channel of uint8 (N, H, W, C), of pixels in [0, 1]."""
    values = np.arange(256) / 255
    counts = [np.bincount(pixels[..., c].ravel(), minlength=256) for c in range(pixels.shape[-1])]
    shares = [count / count.sum() for count in counts]
    means = [float(share @ values) for share in shares]
    spreads = [
        float(np.sqrt(share @ (values - mean) ** 2))
        for share, mean in zip(shares, means, strict=True)
    ]
    return {"mean": means, "std": [max(spread, 1 / 255) for spread in spreads]}


def channel_values(given, own: list[float], channels: int, what: str) -> list[float]:
    """One number for each channel: those of the entry, or else of the images."""
    values = own if given is None else [float(v) for v in np.atleast_1d(given)]
    if len(values) not in (1, channels):
        raise ValueError(
            f"exposed: {what} is {given}, but images have {channels} channels: give one number or"
            f" {channels} as `{what}` of the detector's entry, or leave it out"
        )
    return values * channels if len(values) == 1 else values


def square(pixels: np.ndarray) -> tuple[int, int]:
    """Side and channels of square images, or ValueError."""
    _, height, width, channels = pixels.shape
    if height != width:
        raise ValueError(f"images are {height} x {width}; this network takes square ones")
    return height, channels
