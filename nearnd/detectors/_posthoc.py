"""The network of a classifier from scratch, and ODIN's answer to changed images."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nearnd.contracts import Progress
from nearnd.detectors._trained import batched
from nearnd.networks.backbone import Classifier
from nearnd.networks.dropout import Dropout
from nearnd.networks.transform import View, view
from nearnd.networks.wide_resnet import Block, WideResNet


class Trunk(WideResNet):
    """WRN-`depth`-`width` with dropout before each block's second convolution, called as timm's
    networks are, so that it can stand where a backbone does."""

    def __init__(self, facts: dict):
        widths = [16 * facts["width"] * 2**stage for stage in range(3)]
        super().__init__(facts["channels"], widths, (facts["depth"] - 4) // 6)
        self.num_features = widths[-1]
        for block in self.modules():
            if isinstance(block, Block):
                block.conv2 = nn.Sequential(Dropout(facts["dropout"]), block.conv2)

    def forward_features(self, x: Tensor) -> Tensor:
        return self(x)  # (N, D)

    def forward_head(self, h: Tensor, pre_logits: bool) -> Tensor:
        return h


def odin(net: Classifier, pixels: np.ndarray, how: View, t: float, eps: float, progress: Progress):
    """ODIN's score float32 (N,) of uint8 (N, H, W, C), for a network in evaluation mode; t: the
    temperature."""
    on = net.head.weight.device
    std = torch.tensor(how.std, device=on)[:, None, None]

    def of(some: np.ndarray) -> list[Tensor]:
        with torch.inference_mode(False):  # the step needs a gradient
            x = stepped(net, view(some, how).to(on), std, t, eps)
        p = (net(x).double() / t).softmax(dim=1)  # (n, K)
        # 1 - max p, as the sum of the others: no digits are lost next to 0
        return [p.sort(dim=1).values[:, :-1].sum(dim=1)]  # (n,)

    return batched(of, pixels, progress)[0]


def stepped(net: nn.Module, x: Tensor, std: Tensor, temperature: float, eps: float) -> Tensor:
    """x (n, C, H, W) moved by `eps`, in units of pixels in [0, 1], to where the network is surer
    of its answer: x - eps sign(gradient) / std, x being pixels divided by std."""
    x = x.requires_grad_()
    f = net(x).float() / temperature  # (n, K)
    loss = F.cross_entropy(f, f.detach().argmax(dim=1), reduction="sum")
    (gradient,) = torch.autograd.grad(loss, x)
    return x.detach() - eps * gradient.sign() / std  # (n, C, H, W)
