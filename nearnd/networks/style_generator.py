"""StyleGAN2's generator: the mapping network and the synthesis network."""

import torch
from torch import Tensor, nn

from nearnd.networks.mapping import Mapping
from nearnd.networks.synthesis import Synthesis


class StyleGenerator(nn.Module):
    """z (N, z_dim) and noise (N, noise_numbers), both standard normal -> images."""

    def __init__(
        self, *, z_dim: int, w_dim: int, mapping_layers: int, size: int, channels: int, **synthesis
    ) -> None:
        super().__init__()
        self.z_dim = z_dim
        self.mapping = Mapping(z_dim, w_dim, mapping_layers)
        self.synthesis = Synthesis(size, channels, w_dim, **synthesis)

    @property
    def noise_numbers(self) -> int:
        return self.synthesis.noise_numbers

    def forward(self, z: Tensor, noise: Tensor, truncation: float = 1.0) -> Tensor:
        return self.synthesis(self.styles(z, truncation), noise)  # (N, channels, size, size)

    def styles(self, z: Tensor, truncation: float = 1.0) -> Tensor:
        """w of each layer, (N, layers, w_dim)."""
        w = self.mapping(z, truncation)
        return w[:, None].expand(-1, self.synthesis.layers, -1)

    def mixed_styles(self, z: Tensor, other: Tensor, probability: float) -> Tensor:
        """As `styles`, but with this probability those of `other` (N, z_dim) from a random layer
        on, the same for all images: style mixing ("A Style-Based Generator", section 3.1)."""
        w, layers = self.styles(z), self.synthesis.layers
        if probability == 0:
            return w
        cut = torch.randint(1, layers, ())
        cut = torch.where(torch.rand(()) < probability, cut, layers)
        late = torch.arange(layers) >= cut  # (layers,)
        return torch.where(late.to(w.device)[:, None], self.styles(other), w)
