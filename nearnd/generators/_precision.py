"""The score network as a function that computes in bfloat16 where that is faster."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


def in_precision(
    net: nn.Module, dev: torch.device, precision: str
) -> Callable[[Tensor, Tensor], Tensor]:
    """`net` itself ("fp32") or under autocast ("bf16"); "auto" decides by the machine."""
    half = precision == "bf16"
    if precision == "auto" and dev.type == "cuda":
        half = torch.cuda.is_bf16_supported()
    elif precision == "auto" and dev.type == "cpu":
        units = getattr(torch.cpu, "get_capabilities", dict)()  # {} in older versions
        wide = net.stem.out_channels >= 64  # below, conversions cost more than they save
        half = wide and units.get("amx_bf16", False)
    if not half:
        return net

    def run(x: Tensor, level: Tensor) -> Tensor:
        with torch.autocast(dev.type, torch.bfloat16):
            return net(x, level)

    return run
