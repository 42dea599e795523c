"""The LeNet-style networks of DeepSVDD, DeepSAD and RETH, and the decoder of their autoencoder.

A block is a 5 x 5 convolution that keeps the size, batch norm, leaky ReLU and 2 x 2 max-pooling.
Initial weights of convolutions are Xavier's for leaky ReLU (RETH draws them normal, DeepSVDD
uniform, of the same variance; here normal). Those of linear layers are too in RETH; DeepSVDD and
DeepSAD leave them as PyTorch makes them, 2.4 times smaller in CIFAR's layer.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

EPS = 1e-4  # of the batch norms, in all official codes


def blocks(channels: int, widths: Sequence[int], *, bias: bool) -> nn.Sequential:
    """(N, channels, H, W) to (N, widths[-1] * (H / 2^n) * (W / 2^n)), sizes rounded down.

    `bias` False also takes scale and shift off the batch norms, as DeepSVDD must.
    """
    layers: list[nn.Module] = []
    for width in widths:
        layers += [_conv(channels, width, bias), nn.BatchNorm2d(width, EPS, affine=bias),
                   nn.LeakyReLU(), nn.MaxPool2d(2)]  # fmt: skip
        channels = width
    return nn.Sequential(*layers, nn.Flatten())


def coder(
    n: int, hidden: int | None, code: int, *, bias: bool, xavier: bool = True
) -> nn.Sequential:
    """(N, n) to (N, code): a hidden layer with batch norm and leaky ReLU if `hidden`, then a linear
    one with nothing after it. `xavier`: their initial weights, else PyTorch's."""
    layers: list[nn.Module] = []
    if hidden is not None:
        first = nn.Linear(n, hidden, bias)
        if xavier:
            nn.init.xavier_normal_(first.weight, nn.init.calculate_gain("leaky_relu"))
        layers += [first, nn.BatchNorm1d(hidden, EPS, affine=bias), nn.LeakyReLU()]
    last = nn.Linear(hidden or n, code, bias)
    if xavier:
        nn.init.xavier_normal_(last.weight)
    return nn.Sequential(*layers, last)


def lenet(
    channels: int,
    side: int,
    widths: Sequence[int],
    hidden: int | None,
    code: int,
    *,
    bias: bool,
    xavier: bool = True,
) -> nn.Sequential:
    """Square images of `side` pixels to codes (N, code).

    CIFAR: widths 32, 64, 128. MNIST: 8, 4 (DeepSVDD) or 16, 32 (RETH). Pixels of 8: two blocks.
    ValueError if the images are too small for so many blocks.
    """
    last = sides(side, widths)[-1]
    return nn.Sequential(
        blocks(channels, widths, bias=bias),
        coder(widths[-1] * last**2, hidden, code, bias=bias, xavier=xavier),
    )


def sides(side: int, widths: Sequence[int]) -> list[int]:
    """The side of the map before the first block and after each."""
    found = [side // 2**i for i in range(len(widths) + 1)]
    if not widths or not found[-1]:
        raise ValueError(
            f"images of {side} pixels cannot be halved {len(widths)} times: give `widths` of the"
            f" detector's entry between 1 and {side.bit_length() - 1} numbers"
        )
    return found


class Decoder(nn.Module):
    """Codes (N, code) to images (N, channels, side, side) in (0, 1), the encoder in reverse.

    Without bias and with non-affine batch norms; a batch norm comes before it. The first map has at
    most 4 x 4 pixels, so CIFAR's goes 4, 8, 16, 32. MNIST's goes 4, 7, 14, 28, where the original
    goes 4, 8, 14, 28. ValueError if `code` is not a multiple of the first map's pixels.
    """

    def __init__(self, channels: int, side: int, widths: Sequence[int], code: int):
        super().__init__()
        self.sides = sides(side, widths)[::-1]
        self.first = min(4, self.sides[0])
        if code % self.first**2:
            raise ValueError(
                f"code is {code}; for images of {side} pixels and {len(widths)} blocks it must be a"
                f" multiple of {self.first**2}: change `code` of the detector's entry"
            )
        ins = [code // self.first**2, *widths[::-1]]
        outs = [*widths[::-1], channels]
        self.normed = nn.BatchNorm1d(code, EPS, affine=False)
        self.convs = nn.ModuleList(_conv(a, b, False) for a, b in zip(ins, outs, strict=True))
        self.norms = nn.ModuleList(nn.BatchNorm2d(w, EPS, affine=False) for w in widths[::-1])

    def forward(self, z: Tensor) -> Tensor:
        x = self.normed(z).view(len(z), -1, self.first, self.first)  # (N, code / s^2, s, s)
        x = F.interpolate(F.leaky_relu(x), size=(self.sides[0],) * 2)
        for conv, norm, side in zip(self.convs[:-1], self.norms, self.sides[1:], strict=True):
            x = F.interpolate(F.leaky_relu(norm(conv(x))), size=(side, side))  # (N, width, s, s)
        return self.convs[-1](x).sigmoid()  # (N, channels, side, side)


def _conv(channels: int, width: int, bias: bool) -> nn.Conv2d:
    layer = nn.Conv2d(channels, width, 5, padding=2, bias=bias)
    nn.init.xavier_normal_(layer.weight, nn.init.calculate_gain("leaky_relu"))
    return layer
