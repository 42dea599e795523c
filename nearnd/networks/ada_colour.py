"""The colour part of StyleGAN2-ADA's augmentation: one affine map of colours for each image.

Karras et al., "Training Generative Adversarial Networks with Limited Data", appendix B.
"""

import math

import torch
from torch import Tensor

GREY = torch.full((3,), math.sqrt(1 / 3))  # the direction of grey in RGB
ALONG = torch.outer(GREY, GREY)  # (3, 3), what a colour has of grey


def draw_colours(n: int, p: Tensor) -> Tensor:
    """Affine maps (n, 3, 4) of colours in [-1, 1]. Each is drawn for each image with probability p:
    brightness, contrast, luma flip, hue, saturation."""

    def chance(values: Tensor, nothing: float) -> Tensor:
        return torch.where(torch.rand(n) < p.cpu(), values, nothing)

    brightness = chance(torch.randn(n) * 0.2, 0.0)
    contrast = chance(torch.exp2(torch.randn(n) * 0.5), 1.0)
    flip = chance(torch.randint(0, 2, (n,)).float(), 0.0)
    hue = chance((torch.rand(n) * 2 - 1) * math.pi, 0.0)
    saturation = chance(torch.exp2(torch.randn(n)), 1.0)
    return colours(brightness, contrast, flip, hue, saturation)


def colours(
    brightness: Tensor, contrast: Tensor, flip: Tensor, hue: Tensor, saturation: Tensor
) -> Tensor:
    """Affine maps (n, 3, 4), in this order: add, multiply, mirror the luma where flip is 1, turn
    around grey by the angle `hue`, stretch the distance from grey."""
    eye = torch.eye(3)

    def over(x: Tensor) -> Tensor:
        return x[:, None, None]

    mirror = eye - 2 * over(flip) * ALONG  # (n, 3, 3)
    x, y, z = GREY.tolist()
    across = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]])  # v -> GREY x v
    turn = over(hue.cos()) * (eye - ALONG) + over(hue.sin()) * across + ALONG  # Rodrigues
    stretch = ALONG + over(saturation) * (eye - ALONG)
    linear = stretch @ turn @ mirror * over(contrast)  # (n, 3, 3)
    offset = linear @ brightness[:, None, None].expand(-1, 3, 1)  # (n, 3, 1)
    return torch.cat([linear, offset], 2)


def recoloured(x: Tensor, maps: Tensor) -> Tensor:
    """Images (N, C, H, W) by maps (N, 3, 4). A grey image is a colour one of three equal channels,
    of which the mean is kept."""
    maps = maps.to(x.device)
    if x.shape[1] == 1:
        maps = maps.mean(1, keepdim=True)  # (N, 1, 4)
        maps = torch.stack([maps[..., :3].sum(2), maps[..., 3]], 2)  # (N, 1, 2)
    y = maps[..., :-1] @ x.flatten(2) + maps[..., -1:]  # (N, C, H W)
    return y.view(x.shape)
