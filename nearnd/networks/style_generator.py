"""StyleGAN2's generator: the mapping network and the synthesis network."""

from typing import Any

import torch
from torch import Tensor, nn

from nearnd.networks.mapping import Mapping
from nearnd.networks.synthesis import Synthesis


class StyleGenerator(nn.Module):
    """Latent variables (N, latent), standard normal, to images (N, channels, size, size), about in
    [-1, 1]. They are z, from which the styles come, and behind it the noise of each layer."""

    def __init__(
        self,
        *,
        z_dim: int,
        w_dim: int,
        mapping_layers: int,
        size: int,
        channels: int,
        **synthesis: Any,
    ) -> None:
        super().__init__()
        self.mapping = Mapping(z_dim, w_dim, mapping_layers)
        self.synthesis = Synthesis(size, channels, w_dim, **synthesis)
        self.parts = z_dim, self.synthesis.noise_numbers
        self.latent = sum(self.parts)

    def forward(self, latent: Tensor, truncation: float = 1.0) -> Tensor:
        z, noise = latent.split(self.parts, 1)
        return self.synthesis(self.styles(z, truncation), noise)  # (N, channels, size, size)

    def styles(self, z: Tensor, truncation: float = 1.0) -> Tensor:
        """w of each layer, (N, layers, w_dim), of z (N, z_dim); see `Mapping` for truncation."""
        w = self.mapping(z, truncation)
        return w[:, None].expand(-1, self.synthesis.layers, -1)

    def mixed(self, n: int, probability: float) -> tuple[Tensor, Tensor]:
        """n random images' styles (n, layers, w_dim), and their noise (n, noise_numbers).

        With this probability, once for all n, styles are mixed: from a random layer on they are
        those of other images ("A Style-Based Generator Architecture", section 3.1).
        """
        z, other = torch.randn(2, n, self.parts[0]).to(self.mapping.average.device)
        noise = torch.randn(n, self.parts[1]).to(z.device)
        w, layers = self.styles(z), self.synthesis.layers
        if torch.rand(()) < probability:
            late = torch.arange(layers) >= torch.randint(1, layers, ())  # (layers,)
            w = torch.where(late.to(z.device)[:, None], self.styles(other), w)
        return w, noise
