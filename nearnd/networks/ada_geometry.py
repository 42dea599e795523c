"""The geometric part of StyleGAN2-ADA's augmentation: an affine map for each image, done at once.

Karras et al., "Training Generative Adversarial Networks with Limited Data", appendix B. What is
outside the image is its reflection, as far as that goes; pixels are moved on a map of twice the
resolution, made and undone with an orthogonal wavelet, so that the identity changes nothing.
Everything can be differentiated by the images as often as is wanted (R1 needs it twice).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

# Daubechies' least asymmetric wavelet with 6 vanishing moments ("sym6"), scaling filter
SYM6 = (
    0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633,
    0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252,
    -0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148,
)  # fmt: skip
PEAK = 5  # its largest number, where a pixel is on the doubled map
REACH = 3  # pixels of the image, to each side, that the filter and the interpolation look at


def draw_maps(n: int, side: int, p: Tensor) -> Tensor:
    """Affine maps (n, 3, 3) from where a pixel of the result is to where it comes from, in pixels
    from the centre. Each transformation is drawn for each image with probability p: mirroring,
    quarter turns, translation by whole pixels, isotropic scaling, rotation, stretching, rotation
    again, translation."""

    def chance(values: Tensor, nothing: float = 0.0, of: Tensor = p) -> Tensor:
        return torch.where(torch.rand(len(values)) < of.cpu(), values, nothing)

    half = torch.randint(0, 2, (n,))
    m = scaling(1 - 2 * chance(half.float()), torch.ones(n))
    m = m @ rotation(chance(torch.randint(0, 4, (n,)) * (math.pi / 2)))
    shift = (torch.rand(2, n) * 2 - 1) * 0.125  # of the side
    here = torch.rand(n) < p.cpu()
    m = m @ translation(*torch.where(here, (shift * side).round(), 0.0))
    by = chance(torch.exp2(torch.randn(n) * 0.2), 1.0)
    m = m @ scaling(by, by)
    # of two rotations one at least comes with probability p
    once = 1 - (1 - p.clamp(0, 1)).sqrt()
    m = m @ rotation(chance((torch.rand(n) * 2 - 1) * math.pi, of=once))
    by = chance(torch.exp2(torch.randn(n) * 0.2), 1.0)
    m = m @ scaling(by, 1 / by)
    m = m @ rotation(chance((torch.rand(n) * 2 - 1) * math.pi, of=once))
    shift = torch.randn(2, n) * (0.125 * side)
    here = torch.rand(n) < p.cpu()
    return m @ translation(*torch.where(here, shift, 0.0))  # (n, 3, 3)


def _matrix(*rows: tuple) -> Tensor:
    like = next(x for row in rows for x in row if isinstance(x, Tensor))
    full = [torch.stack([torch.ones_like(like) * x for x in row], -1) for row in rows]
    return torch.stack(full, -2)  # (n, 3, 3)


def translation(x: Tensor, y: Tensor) -> Tensor:
    return _matrix((1, 0, x), (0, 1, y), (0, 0, 1))


def scaling(x: Tensor, y: Tensor) -> Tensor:
    return _matrix((x, 0, 0), (0, y, 0), (0, 0, 1))


def rotation(angle: Tensor) -> Tensor:
    c, s = angle.cos(), angle.sin()
    return _matrix((c, -s, 0), (s, c, 0), (0, 0, 1))


def moved(x: Tensor, maps: Tensor) -> Tensor:
    """Square images (N, C, S, S) by affine maps (N, 3, 3) such as `draw_maps` gives."""
    n, side = len(x), x.shape[-1]
    pad = _margin(maps, side)
    x = F.pad(x, (pad,) * 4, mode="reflect")  # (N, C, S', S')
    up = _doubling(x.shape[-1], x)
    x = up @ x @ up.T  # (N, C, L, L), L = 2 S' + 10
    length = 2 * side + len(SYM6) - 2  # of the map from which the filter makes S pixels
    at = ((torch.arange(length) - _middle(side)) / 2).to(maps)  # pixels from the centre
    grid = torch.stack(torch.meshgrid(at, at, indexing="xy"), -1).view(-1, 2)  # (length^2, 2), x y
    source = grid @ maps[:, :2, :2].mT + maps[:, None, :2, 2]  # (N, length^2, 2)
    source = 2 * source + _middle(side + 2 * pad)  # pixels of the doubled map
    source = source * (2 / (x.shape[-1] - 1)) - 1  # from -1 to 1
    x = bilinear(x, source.view(n, length, length, 2).to(x.device, x.dtype))
    down = _doubling(side, x).T / 2
    return down @ x @ down.T  # (N, C, S, S)


def _margin(maps: Tensor, side: int) -> int:
    """How many pixels beyond the border the maps look; at most what reflection can give."""
    end = side / 2 + REACH
    corners = maps.new_tensor([[-end, -end, 1], [end, -end, 1], [-end, end, 1], [end, end, 1]])
    far = (corners @ maps.mT)[..., :2].abs().max()  # of (N, 4, 2)
    return min(max(math.ceil(float(far) - side / 2) + REACH, 0), side - 1)


def _middle(side: int) -> int:
    """Where the centre of `side` pixels is on the doubled map."""
    return side - 1 + PEAK


def _doubling(side: int, like: Tensor) -> Tensor:
    """Zeros between pixels, then the wavelet's filter: a matrix (2 side + 10, side). Half of its
    transpose leads back."""
    a = torch.zeros(2 * side + len(SYM6) - 2, side)
    k = torch.arange(side)
    for i, tap in enumerate(SYM6):
        a[2 * k + i, k] = 2**0.5 * tap
    return a.to(like)


def bilinear(x: Tensor, grid: Tensor) -> Tensor:
    """Values of x (N, C, H, W) at grid (N, H', W', 2), corners at -1 and 1, zeros outside."""
    return _Bilinear.apply(x, grid)


class _Bilinear(torch.autograd.Function):
    """torch's own gradient has no gradient. But sampling is linear in x: the gradient is the
    transposed map, and the gradient of that is sampling again."""

    @staticmethod
    def forward(ctx, x: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.shape = x.shape
        return F.grid_sample(x, grid, "bilinear", "zeros", align_corners=True)

    @staticmethod
    def backward(ctx, dy: Tensor):
        return _Transposed.apply(dy, *ctx.saved_tensors, ctx.shape), None


class _Transposed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, dy: Tensor, grid: Tensor, shape: torch.Size) -> Tensor:
        ctx.save_for_backward(grid)
        # modes 0: bilinear, zeros outside; the mask asks for the gradient of x alone
        return torch.ops.aten.grid_sampler_2d_backward(
            dy.contiguous(), dy.new_empty(shape), grid, 0, 0, True, [True, False]
        )[0]

    @staticmethod
    def backward(ctx, d: Tensor):
        return _Bilinear.apply(d, *ctx.saved_tensors), None, None
