"""The network of a classifier from scratch, and ODIN's answer to changed images."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nearnd.contracts import Progress, silent
from nearnd.networks.backbone import Classifier
from nearnd.networks.dropout import Dropout
from nearnd.networks.transform import View, view
from nearnd.networks.wide_resnet import Block, WideResNet

BATCH = 64


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


def odin(
    net: Classifier, pixels: np.ndarray, how: View, temperature: float, eps: float,
    progress: Progress = silent,
) -> np.ndarray:  # fmt: skip
    """ODIN's score float32 (N,) of uint8 (N, H, W, C), for a network in evaluation mode."""
    on, out = net.head.weight.device, np.empty(len(pixels), np.float32)
    std = torch.tensor(how.std, device=on)[:, None, None]
    for i in range(0, len(pixels), BATCH):
        x = stepped(net, view(pixels[i : i + BATCH], how).to(on), std, temperature, eps)
        with torch.inference_mode():
            p = (net(x).double() / temperature).softmax(dim=1)  # (n, K)
        # 1 - max p, as the sum of the others: no digits are lost next to 0
        out[i : i + BATCH] = p.sort(dim=1).values[:, :-1].sum(dim=1).cpu().numpy()  # (n,)
        progress(min(i + BATCH, len(pixels)), len(pixels))
    return out


def stepped(net: nn.Module, x: Tensor, std: Tensor, temperature: float, eps: float) -> Tensor:
    """x (n, C, H, W) moved by `eps`, in units of pixels in [0, 1], to where the network is surer
    of its answer: x - eps sign(gradient) / std, x being pixels divided by std."""
    x = x.requires_grad_()
    f = net(x).float() / temperature  # (n, K)
    loss = F.cross_entropy(f, f.detach().argmax(dim=1), reduction="sum")
    (gradient,) = torch.autograd.grad(loss, x)
    return x.detach() - eps * gradient.sign() / std  # (n, C, H, W)


def normalisation(pixels: np.ndarray) -> dict:
    """How a network without a file sees uint8 (N, H, W, C): size, and each channel's mean and
    standard deviation over all pixels in [0, 1]."""
    n, height, width, channels = pixels.shape
    levels = np.zeros((channels, 256))  # how often each grey level comes
    for i in range(0, n, 1024):
        part = np.asarray(pixels[i : i + 1024]).reshape(-1, channels)
        levels += [np.bincount(channel, minlength=256) for channel in part.T]
    share, value = levels / levels.sum(axis=1, keepdims=True), np.arange(256) / 255
    mean = share @ value  # (C,)
    std = np.sqrt((share * (value - mean[:, None]) ** 2).sum(axis=1))  # (C,)
    size = min(height, width)
    facts = {"model": "wide_resnet", "channels": channels, "size": size, "resize": size}
    return facts | {"mean": mean.tolist(), "std": np.maximum(std, 1 / 255).tolist()}
