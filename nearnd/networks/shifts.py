"""Changes that make another thing of an image (CSI's "shifting transformations"): four of a kind,
the first of which changes nothing."""

import torch
from torch import Tensor


def rotated(x: Tensor, k: int) -> Tensor:
    """Images (N, C, S, S) turned by k times 90 degrees, counter-clockwise."""
    return torch.rot90(x, k, (2, 3))


def permuted(x: Tensor, k: int) -> Tensor:
    """Images (N, C, H, W) with halves swapped: 1 left and right, 2 top and bottom, 3 both."""
    down, across = divmod(k, 2)
    parts = down * (x.shape[2] // 2), across * (x.shape[3] // 2)
    return x.roll([-part for part in parts], (2, 3))


SHIFTS = {  # the name of a family -> its members, functions of images
    "rotation": [lambda x, k=k: rotated(x, k) for k in range(4)],
    "permute": [lambda x, k=k: permuted(x, k) for k in range(4)],
    "none": [lambda x: x],
}
