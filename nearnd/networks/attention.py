"""Self-attention over the pixels of a feature map."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nearnd.networks.init import TINY, conv, norm
from nearnd.networks.norm import group_norm

SMALL = 256  # pixels; below, the backward pass of the fused CPU kernel is slower than products


class PixelAttention(nn.Module):
    """(x + attention(GroupNorm(x))) gain, one head over all pixels, (N, C, H, W) -> same.

    Source: score_sde AttnBlockpp; q, k and v in one product.
    """

    def __init__(self, channels: int, gain: float = math.sqrt(0.5)) -> None:
        super().__init__()
        self.norm = norm(channels)
        self.qkv = conv(channels, 3 * channels, 1)
        self.out = conv(channels, channels, 1, scale=TINY, gain=gain)
        # Xavier of each C x C part with variance 0.1, as if q, k and v were layers of their own.
        nn.init.uniform_(self.qkv.weight, -math.sqrt(0.3 / channels), math.sqrt(0.3 / channels))
        self.gain = gain

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        qkv = self.qkv(group_norm(x, self.norm, silu=False)).permute(0, 2, 3, 1)  # (N, H, W, 3C)
        q, k, v = qkv.reshape(n, 1, h * w, 3 * c).chunk(3, -1)  # (N, 1, HW, C)
        y = attend(q, k, v).reshape(n, h, w, c).permute(0, 3, 1, 2)  # (N, C, H, W)
        return torch.add(self.out(y), x, alpha=self.gain)


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(q k' / sqrt(C)) v of (N, heads, P, C), by what is fastest here."""
    if q.device.type == "cpu" and q.shape[-2] <= SMALL and torch.is_grad_enabled():
        return ((q * q.shape[-1] ** -0.5) @ k.mT).softmax(-1).to(v.dtype) @ v
    return F.scaled_dot_product_attention(q, k, v)  # (N, heads, P, C)
