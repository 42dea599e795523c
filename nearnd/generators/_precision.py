"""The score network as a function that computes in bfloat16 where that is faster."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from nearnd.networks.precision import autocast, for_inference

LARGE = 512  # channels x side of the first map; below, conversions cost more than they save


def in_precision(
    net: nn.Module, dev: torch.device, precision: str
) -> Callable[[Tensor, Tensor], Tensor]:
    """`net` as a function of images and noise level in "fp32" or "bf16"; "auto" decides by the
    machine. In evaluation mode its matrices are cast once: call it after the weights are there."""
    kind = torch.bfloat16 if _half(net, dev, precision) else torch.float32
    quick = net if net.training else for_inference(net, kind)

    def run(x: Tensor, level: Tensor) -> Tensor:
        with autocast(dev, kind):
            return quick(x, level)

    return run


def _half(net: nn.Module, dev: torch.device, precision: str) -> bool:
    if precision == "auto" and dev.type == "cuda":
        return torch.cuda.is_bf16_supported()
    if precision == "auto" and dev.type == "cpu":
        units = getattr(torch.cpu, "get_capabilities", dict)()  # {} in older versions
        return net.stem.out_channels * net.size >= LARGE and units.get("amx_bf16", False)
    return precision == "bf16"
