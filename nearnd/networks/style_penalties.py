"""StyleGAN2's penalties on gradients: of the discriminator (R1), of the generator (path length)."""

import torch
from torch import Tensor, nn

DECAY = 0.01  # how fast the mean path length is followed


def r1(logits: Tensor, images: Tensor) -> Tensor:
    """||grad D(x)||^2 of each image, (N,), of logits (N,) computed from images (N, C, H, W).

    Mescheder et al., "Which Training Methods for GANs do actually Converge?", eq. 9, without its
    gamma / 2.
    """
    (g,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return g.square().sum((1, 2, 3))


def path_lengths(images: Tensor, w: Tensor, y: Tensor) -> Tensor:
    """||J^T y|| of each image, (N,): J the Jacobian of images (N, C, H, W) by w (N, layers, D),
    y standard normal like the images. Its square is averaged over layers, and y divided by the
    square root of the number of pixels, so that it does not depend on their numbers.

    Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", section 3.2.
    """
    y = y / (y.shape[2] * y.shape[3]) ** 0.5
    (g,) = torch.autograd.grad((images * y).sum(), w, create_graph=True)  # (N, layers, D)
    return g.square().sum(2).mean(1).sqrt()


class PathPenalty(nn.Module):
    """(||J^T y|| - a)^2, where a follows the mean of ||J^T y||: a buffer, with which a training
    that was killed goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("a", torch.zeros(()))

    def forward(self, lengths: Tensor) -> Tensor:
        """Of lengths (N,), each image's, (N,)."""
        a = self.a.lerp(lengths.mean(), DECAY)
        self.a.copy_(a.detach())
        return (lengths - a).square()
