"""Adaptive discriminator augmentation: what the discriminator sees, and how often it is changed.

Karras et al., "Training Generative Adversarial Networks with Limited Data". A discriminator that
knows the training images by heart calls nearly all of them real: r_t = E[sign D(real)] nears 1.
The probability p of each augmentation then rises, until r_t is at its target, and falls below.
"""

import torch
from torch import Tensor, nn

from nearnd.networks.ada_colour import draw_colours, recoloured
from nearnd.networks.ada_geometry import draw_maps, moved


class Ada(nn.Module):
    """The augmentation "bgc" of the paper (blit, geometry, colour), with its p; images (N, C, S, S)
    in [-1, 1], the random numbers of torch's global generator.

    target: of r_t; None: p stays what it is. images: in so many p can go from 0 to 1. What is
    counted are buffers, so that a training that was killed goes on with them.
    """

    def __init__(self, target: float | None = 0.6, images: float = 500_000, p: float = 0.0):
        super().__init__()
        self.target, self.images = target, images
        self.register_buffer("p", torch.tensor(p))
        self.register_buffer("signs", torch.zeros(2))  # their sum and number since p moved

    def forward(self, x: Tensor) -> Tensor:
        if self.target is None and not self.p:
            return x
        maps = draw_maps(len(x), x.shape[-1], self.p)
        return recoloured(moved(x, maps), draw_colours(len(x), self.p))

    @torch.no_grad()
    def seen(self, logits: Tensor) -> None:
        """Counts the discriminator's logits (N,) of real images, as it saw them."""
        self.signs += torch.stack([logits.sign().sum(), torch.full_like(logits[0], len(logits))])

    @torch.no_grad()
    def move(self, shown: int) -> None:
        """After `shown` more real images: p up where r_t is above its target, down where below.

        p stays in [0, 1]. The public code does not keep it below 1, where nothing changes but the
        way back.
        """
        if self.target is None:
            return
        total, n = self.signs
        towards = torch.sign(total / n - self.target)
        self.p.add_(towards * shown / self.images).clamp_(0, 1)
        self.signs.zero_()
