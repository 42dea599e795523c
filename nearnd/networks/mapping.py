"""StyleGAN's mapping network: from a normally distributed z to the styles' w."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from nearnd.networks.equalized import Dense

RATE = 0.01  # its learning rate is a hundredth of that of the other layers
FOLLOW = 0.005  # how fast the average of w moves, each time that it is seen in training


class Mapping(nn.Module):
    """z (N, z_dim) -> w (N, w_dim). Source: "A Style-Based Generator Architecture", section 2."""

    def __init__(self, z_dim: int, w_dim: int, layers: int) -> None:
        super().__init__()
        sizes = [z_dim, *[w_dim] * layers]
        self.net = nn.Sequential(*[Dense(a, b, act=True, rate=RATE) for a, b in pairwise(sizes)])
        self.register_buffer("average", torch.zeros(w_dim))

    def forward(self, z: Tensor, truncation: float = 1.0) -> Tensor:
        """truncation: psi, how far w may be from its average; 1: as it is. In training mode the
        average follows."""
        z = z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()  # (N, z_dim), of length sqrt(dim)
        w = self.net(z)  # (N, w_dim)
        if self.training:
            self.average.lerp_(w.detach().mean(0), FOLLOW)
        return w if truncation == 1 else self.average.lerp(w, truncation)
