"""Halving and doubling of feature maps, with the FIR filter of NCSN++ or by means and copies."""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nearnd.networks.init import conv

TAPS = (1.0, 3.0, 3.0, 1.0)  # of the FIR filter along one axis, before normalisation


def down(x: Tensor, fir: bool) -> Tensor:
    """(N, C, H, W) -> (N, C, H/2, W/2): FIR filter [1,3,3,1]/8 per axis with zero borders, or the
    mean of 2 x 2."""
    return _Down.apply(x, 1.0) if fir else F.avg_pool2d(x, 2)


def up(x: Tensor, fir: bool) -> Tensor:
    """(N, C, H, W) -> (N, C, 2H, 2W): zeros between pixels and the FIR filter x 4, or copies."""
    return _Up.apply(x, 1.0) if fir else F.interpolate(x, scale_factor=2.0, mode="nearest")


def filtered(x: Tensor, padding: int, gain: float = 1.0) -> Tensor:
    """(N, C, H, W) -> (N, C, H + 2 padding - 3, ...): gain x the FIR filter, zeros around."""
    return _Filtered.apply(x, padding, gain)


class Resample(nn.Module):
    """`down` or `up` as a layer."""

    def __init__(self, to: str, fir: bool) -> None:
        super().__init__()
        self.to, self.fir = to, fir

    def forward(self, x: Tensor) -> Tensor:
        return {"down": down, "up": up}[self.to](x, self.fir)


class DownConv(nn.Module):
    """3 x 3 convolution that halves the map: FIR filter before it, or stride 2 alone."""

    def __init__(self, channels: int, out: int, fir: bool) -> None:
        super().__init__()
        self.conv = conv(channels, out, 3, stride=2, padding=0)
        self.fir = fir

    def forward(self, x: Tensor) -> Tensor:
        # (N, C, H+1, W+1)
        x = _filter(x, 1.0, padding=2) if self.fir else F.pad(x, (0, 1, 0, 1))
        return self.conv(x)  # (N, out, H/2, W/2)


class UpConv(nn.Module):
    """3 x 3 convolution of the doubled map.

    The FIR filter goes on beyond the border, where the convolution sees it: this is the order of
    the TensorFlow original, transposed convolution and then filter. Its PyTorch port raises an
    error here.
    """

    def __init__(self, channels: int, out: int, fir: bool) -> None:
        super().__init__()
        self.conv = conv(channels, out, 3, padding=0 if fir else 1)
        self.fir = fir

    def forward(self, x: Tensor) -> Tensor:
        # (N, C, 2H+2, 2W+2) or (N, C, 2H, 2W)
        x = up(F.pad(x, (1, 1, 1, 1)), True)[..., 1:-1, 1:-1] if self.fir else up(x, False)
        return self.conv(x)  # (N, out, 2H, 2W)


class _Down(torch.autograd.Function):
    """The FIR filter at every second pixel: a depthwise convolution, whose own gradient is slow."""

    @staticmethod
    def forward(ctx, x: Tensor, gain: float) -> Tensor:
        ctx.gain = gain
        return _filter(x, gain, stride=2, padding=1)

    @staticmethod
    def backward(ctx, dy: Tensor):
        return _Up.apply(dy, ctx.gain / 4), None


class _Up(torch.autograd.Function):
    """Its transpose, times 4: bilinear interpolation, but with zeros instead of copies around, so
    that the pixels at the border are worth 3/4."""

    @staticmethod
    def forward(ctx, x: Tensor, gain: float) -> Tensor:
        ctx.gain = gain
        y = F.interpolate(x if gain == 1 else gain * x, scale_factor=2.0, mode="bilinear")
        for edge in (y[:, :, 0], y[:, :, -1], y[..., 0], y[..., -1]):
            edge.mul_(0.75)
        return y

    @staticmethod
    def backward(ctx, dy: Tensor):
        return _Down.apply(dy, 4 * ctx.gain), None


class _Filtered(torch.autograd.Function):
    """The FIR filter at every pixel. It is symmetric, so its transpose is itself with the rest of
    the padding."""

    @staticmethod
    def forward(ctx, x: Tensor, padding: int, gain: float) -> Tensor:
        ctx.how = 3 - padding, gain
        return _filter(x, gain, padding=padding)

    @staticmethod
    def backward(ctx, dy: Tensor):
        return _Filtered.apply(dy, *ctx.how), None, None


def _filter(x: Tensor, gain: float, **how: int) -> Tensor:
    """Convolution of every channel with gain x the FIR filter."""
    k = gain * _fir(x.dtype, x.device)
    return F.conv2d(x, k.expand(x.shape[1], 1, 4, 4), groups=x.shape[1], **how)


@lru_cache
@torch.inference_mode(False)  # training may use what sampling has made
@torch.no_grad()
def _fir(dtype: torch.dtype, device: torch.device) -> Tensor:
    k = torch.tensor(TAPS) / sum(TAPS)
    return torch.outer(k, k).to(device, dtype)  # (4, 4)
