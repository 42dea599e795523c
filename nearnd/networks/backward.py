"""Backward passes that PyTorch computes badly on CPUs: of attention, and of depthwise convolutions
with wide kernels."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from nearnd.networks.precision import compute_dtype

TOKENS = 400  # of an image; above, the products of attention take more memory than they save time
FAST = 3  # columns; for wider kernels oneDNN takes 10 to 30 times as long for the weights' gradient


def for_training(model: nn.Module, kind: torch.dtype, device: torch.device) -> None:
    """Changes a network of timm so that it trains faster on a CPU, in the dtype `kind`."""
    if device.type != "cpu":
        return
    tokens = getattr(getattr(model, "patch_embed", None), "num_patches", TOKENS + 1)
    for module in model.modules():
        # the gradient of the fused one takes longer in bfloat16 than all else of a ViT's step
        if kind == torch.bfloat16 and tokens <= TOKENS and hasattr(module, "fused_attn"):
            module.fused_attn = False
        if isinstance(module, nn.Conv2d) and Depthwise.can_be(module):
            Depthwise.become(module)


class Depthwise(nn.Conv2d):
    """nn.Conv2d of single channels with a kernel that is wider than FAST, an odd number."""

    @staticmethod
    def can_be(conv: nn.Conv2d) -> bool:
        """Whether a convolution, of PyTorch or of timm, computes what this does."""
        from timm.layers import Conv2dSame

        width, alone = conv.kernel_size[1], conv.groups == conv.in_channels == conv.out_channels
        plain = conv.padding_mode == "zeros" and not isinstance(conv.padding, str)
        known = type(conv) in (nn.Conv2d, Conv2dSame) and conv.dilation == (1, 1)
        return bool(alone and plain and known and width > FAST and width % 2)

    @classmethod
    def become(cls, conv: nn.Conv2d) -> None:
        """Makes a convolution one of these; its weights and their names stay."""
        conv.same = type(conv) is not nn.Conv2d  # timm's, that pads as TensorFlow does
        conv.__class__ = cls

    def forward(self, x: Tensor) -> Tensor:
        from timm.layers import pad_same

        kind = compute_dtype(x)
        x = pad_same(x, self.kernel_size, self.stride) if self.same else x
        bias = self.bias if self.bias is None else self.bias.to(kind)
        weight = self.weight.to(kind)
        return _Depthwise.apply(x.to(kind), weight, bias, self.stride, self.padding)


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w, b, stride, padding):
        ctx.save_for_backward(x, w)
        ctx.how = stride, padding
        return F.conv2d(x, w, b, stride, padding, groups=len(w))  # (N, C, H', W')

    @staticmethod
    @once_differentiable
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        stride, (top, left) = ctx.how

        def gradients(x: Tensor, w: Tensor, padding: tuple, *wanted: bool):
            return torch.ops.aten.convolution_backward(
                dy, x, w, None, stride, padding, (1, 1), False, (0, 0), len(w), [*wanted, False]
            )

        dx = dw = None
        if ctx.needs_input_grad[0]:
            dx = gradients(x, w, (top, left), True, False)[0]
        if ctx.needs_input_grad[1]:
            dw = torch.empty_like(w)
            width = (dy.shape[3] - 1) * stride[1] + FAST  # of what FAST columns of the kernel see
            for j in range(0, w.shape[3] - 1, FAST - 1):
                part = F.pad(x, (left - j, j + width - left - x.shape[3], top, top))  # or cut
                some = slice(j, j + FAST)
                dw[..., some] = gradients(part, w[..., some], (0, 0), False, True)[1]
        db = dy.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None
        return dx, dw, db, None, None
