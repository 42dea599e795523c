"""GroupNorm, with the SiLU that follows it in the score network."""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

LARGE = 1024  # pixels; from here on PyTorch's own forward pass is the faster one
PIECE = 2**18  # values worked on at a time by one core, so that they stay in its cache
WIDE = 512  # values in a row; work on shorter rows is slower


def group_norm(x: Tensor, norm: nn.GroupNorm, *, silu: bool = True) -> Tensor:
    """SiLU(GroupNorm(x)), (N, C, H, W) -> same.

    In bfloat16 on CPUs by a function of its own, which keeps x alone for the backward pass:
    PyTorch's takes longer there than the convolution after it, on small maps ten times longer.
    """
    if x.device.type == "cpu" and x.dtype == torch.bfloat16:
        return _GroupNorm.apply(x, norm.weight, norm.bias, norm.num_groups, norm.eps, silu)
    y = norm(x)
    return (F.silu(y) if silu else y).to(x.dtype)


def add_per_channel(x: Tensor, t: Tensor) -> Tensor:
    """x (N, C, H, W) + t (N, C)."""
    if x.device.type != "cpu":
        return x + t[:, :, None, None]
    rows = _rows(x)  # one row of several pixels at a time
    y = rows + _spread(t.to(x.dtype), rows)
    return y.view(len(x), *x.shape[2:], -1).permute(0, 3, 1, 2)  # (N, C, H, W)


class _GroupNorm(torch.autograd.Function):
    """u = gamma (x - mean) / std + beta = a x + b, y = SiLU(u). Sums are float32.

    Maps are (N, P, K) rows of K/C pixels with C channels. Numbers of an image and a channel are
    (N, G, D), groups of D channels; of a group, (N, G, 1).
    """

    @staticmethod
    def forward(ctx, x, gamma, beta, groups, eps, silu):
        n, c, h, w = x.shape
        gamma, beta = (t.unflatten(0, (groups, -1)) for t in (gamma, beta))  # (G, D)
        if h * w >= LARGE:
            args = gamma.flatten(), beta.flatten(), n, c, h * w, groups, eps
            y, mean, r = torch.native_group_norm(x, *args)
            mean, r = mean[..., None], r[..., None]
            a = r * gamma
            b = torch.addcmul(beta, a, mean, value=-1)
            if silu:
                F.silu(y, inplace=True)
        else:
            rows = _rows(x)
            sums = x.new_empty(2, n, rows.shape[2], dtype=torch.float32)  # of x and x^2
            for i, f in _pieces(rows, torch.float32):
                torch.sum(f.copy_(rows[i]), 1, out=sums[0, i])
                torch.sum(f.mul_(f), 1, out=sums[1, i])
            sums = sums.view(2, n, -1, groups, c // groups)
            mean, var = sums.sum((2, 4))[..., None].div_(h * w * c // groups)  # (N, G, 1)
            r = var.addcmul_(mean, mean, value=-1).clamp_(min=0).add_(eps).rsqrt_()  # 1 / std
            a = r * gamma
            b = torch.addcmul(beta, a, mean, value=-1)
            a_, b_ = _spread(a, rows), _spread(b, rows)
            y = torch.empty_like(x, memory_format=torch.channels_last)
            out = _rows(y)
            for i, f in _pieces(rows, torch.float32):
                torch.addcmul(b_[i], f.copy_(rows[i]), a_[i], out=f)
                out[i] = F.silu(f, inplace=True) if silu else f
        ctx.save_for_backward(x, gamma, a, b, mean, r)
        ctx.silu = silu
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx, dy):
        x, gamma, a, b, mean, r = ctx.saved_tensors
        n, c, h, w = x.shape
        groups = gamma.shape[0]
        rows, dy = _rows(x), _rows(dy)
        a, b = (_spread(t, rows).to(x.dtype) for t in (a, b))
        dx = torch.empty_like(x, memory_format=torch.channels_last)
        out = _rows(dx)
        s1, s2 = (x.new_empty(n, rows.shape[2]) for _ in range(2))  # sums of du, du x
        for i, u in _pieces(rows, x.dtype):
            du = dy[i]
            if ctx.silu:
                torch.addcmul(b[i], rows[i], a[i], out=u)
                du = torch.ops.aten.silu_backward.grad_input(du, u, grad_input=out[i])
            torch.sum(du, 1, out=s1[i])
            torch.sum(torch.mul(du, rows[i], out=u), 1, out=s2[i])
        s1, s2 = (_fold(t.float(), groups, c) for t in (s1, s2))
        s2 = s2.addcmul_(mean, s1, value=-1).mul_(r)  # sums of du (x - mean) / std
        A = (gamma * s2).mean(2, keepdim=True).mul_(r).mul_(r).div_(-h * w)
        B = (gamma * s1).mean(2, keepdim=True).mul_(r).div_(-h * w).addcmul_(A, mean, value=-1)
        A, B = (_spread(t.expand_as(s1), rows).to(x.dtype) for t in (A, B))
        du = out if ctx.silu else dy
        for i, u in _pieces(rows, x.dtype):  # dx = a du + A x + B
            torch.addcmul(B[i], rows[i], A[i], out=u)
            torch.addcmul(u, du[i], a[i], out=out[i])
        return dx, s2.sum(0).flatten(), s1.sum(0).flatten(), None, None, None


def _rows(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, P, K); without a copy if x is channels-last."""
    n, c, h, w = x.shape
    k = math.gcd(h * w, max(1, WIDE // c))
    return x.permute(0, 2, 3, 1).reshape(n, h * w // k, k * c)


def _spread(t: Tensor, rows: Tensor) -> Tensor:
    """(N, G, D) -> (N, 1, K), repeated for each pixel of a row."""
    n, k = len(t), rows.shape[2] // t[0].numel()
    return t.reshape(n, 1, -1).expand(n, k, -1).reshape(n, 1, -1)


def _fold(t: Tensor, groups: int, channels: int) -> Tensor:
    """(N, K) -> (N, G, D), summed over the pixels of a row."""
    return t.view(len(t), -1, groups, channels // groups).sum(1)


def _pieces(rows: Tensor, kind: torch.dtype) -> Iterator[tuple[slice, Tensor]]:
    """Some images of (N, P, K) at a time, and room for as many."""
    n, p, k = rows.shape
    step = min(n, max(1, PIECE * torch.get_num_threads() // (p * k)))
    room = rows.new_empty(step, p, k, dtype=kind)
    for i in range(0, n, step):
        yield slice(i, i + step), room[: n - i]
