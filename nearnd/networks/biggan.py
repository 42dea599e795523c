"""BigGAN's generator and critic for images of one class: residual blocks with bounded layers.

Brock, Donahue and Simonyan, "Large Scale GAN Training for High Fidelity Natural Image Synthesis".
Channels and numbers of blocks are those of the authors' PyTorch code. With one class the batch
norms' gains and biases are learned as they are, or follow from a part of z (`skip`).
"""

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import is_parametrized

# channels, in nf, of the maps from 4 pixels on: 4, 8, 16, ...
UP = {8: [4, 4], 16: [4, 4, 4], 32: [4, 4, 4, 4], 64: [16, 16, 8, 4, 2],
      128: [16, 16, 8, 4, 2, 1], 256: [16, 16, 8, 8, 4, 2, 1]}  # fmt: skip
# of the critic's blocks, all but the last of which halve; of small images the first two at most do
DOWN = {64: [1, 2, 4, 8, 16], 128: [1, 2, 4, 8, 16, 16], 256: [1, 2, 4, 8, 8, 16, 16]}
SMALL = [4, 4, 4, 4]


class Generator(nn.Module):
    """z (N, L) to images (N, C, S, S) in [-1, 1]."""

    def __init__(
        self,
        size: int,
        channels: int,
        nf: int,
        latent: int,
        attention: int | None = None,  # side of the map with an attention layer
        skip: bool = False,  # every block is given a part of z of its own
    ):
        super().__init__()
        widths = [nf * w for w in UP[known(size)]]
        self.latent, self.parts = latent, len(widths) if skip else 1
        if latent % self.parts:
            raise ValueError(f"latent is {latent}; it may be a multiple of {self.parts}")
        part = latent // self.parts
        self.first = nn.Linear(part, 16 * widths[0])
        self.blocks, self.attentions, side = nn.ModuleList(), nn.ModuleDict(), 4
        for a, b in pairwise(widths):
            self.blocks.append(Up(a, b, part if skip else None))
            side *= 2
            if side == attention:
                self.attentions[str(len(self.blocks))] = Attention(b)
        self.norm = nn.BatchNorm2d(widths[-1])
        self.last = nn.Conv2d(widths[-1], channels, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        first, *parts = z.chunk(self.parts, 1)  # (N, L / parts) each
        x = self.first(first).unflatten(1, (-1, 4, 4))  # (N, w, 4, 4)
        for i, block in enumerate(self.blocks):
            x = block(x, parts[i] if parts else None)  # (N, w', 2 s, 2 s)
            if str(i + 1) in self.attentions:
                x = self.attentions[str(i + 1)](x)
        return self.last(self.norm(x).relu()).tanh()


class Critic(nn.Module):
    """Images (N, C, S, S) to a number (N,), higher for real ones."""

    def __init__(self, size: int, channels: int, nf: int, attention: int | None = None):
        super().__init__()
        small = known(size) not in DOWN
        widths = [nf * w for w in (SMALL if small else DOWN[size])]
        halved = min(2, size.bit_length() - 3) if small else len(widths) - 1
        layers: list[nn.Module] = []
        for i, (a, b) in enumerate(pairwise([channels, *widths])):
            layers.append(Down(a, b, first=i == 0, halve=i < halved))
            if i < halved and size >> (i + 1) == attention:
                layers.append(Attention(b))
        self.blocks, self.last = nn.Sequential(*layers), nn.Linear(widths[-1], 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.blocks(x).relu().sum((2, 3))  # (N, w)
        return self.last(h)[:, 0]


class Norm(nn.Module):
    """A batch norm whose gain and bias follow from a part of z (N, l), or are learned as they are
    if there is none."""

    def __init__(self, channels: int, part: int | None):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=part is None)
        if part is not None:
            self.gain, self.bias = (nn.Linear(part, channels, bias=False) for _ in range(2))

    def forward(self, x: Tensor, z: Tensor | None) -> Tensor:
        x = self.norm(x)  # (N, C, H, W)
        if z is None:
            return x
        gain, bias = (layer(z)[:, :, None, None] for layer in (self.gain, self.bias))
        return x * (1 + gain) + bias


class Up(nn.Module):
    """A residual block that doubles the map, (N, a, s, s) -> (N, b, 2 s, 2 s)."""

    def __init__(self, a: int, b: int, part: int | None):
        super().__init__()
        self.norm1, self.norm2 = Norm(a, part), Norm(b, part)
        self.conv1, self.conv2 = nn.Conv2d(a, b, 3, padding=1), nn.Conv2d(b, b, 3, padding=1)
        self.short = nn.Conv2d(a, b, 1)

    def forward(self, x: Tensor, z: Tensor | None) -> Tensor:
        h = self.conv1(F.interpolate(self.norm1(x, z).relu(), scale_factor=2.0))
        h = self.conv2(self.norm2(h, z).relu())
        # copied after the 1 x 1 convolution, which is the same and a quarter of the work
        return h + F.interpolate(self.short(x), scale_factor=2.0)


class Down(nn.Module):
    """A residual block of the critic, (N, a, s, s) -> (N, b, s / 2, s / 2) if it halves."""

    def __init__(self, a: int, b: int, first: bool, halve: bool):
        super().__init__()
        self.first, self.halve = first, halve  # the first one sees an image: no ReLU before
        self.conv1, self.conv2 = nn.Conv2d(a, b, 3, padding=1), nn.Conv2d(b, b, 3, padding=1)
        self.short = nn.Conv2d(a, b, 1) if a != b or halve else None

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv2(self.conv1(x if self.first else x.relu()).relu())
        if self.halve:  # the mean and a 1 x 1 convolution may change places
            h, x = F.avg_pool2d(h, 2), F.avg_pool2d(x, 2)
        return h + (x if self.short is None else self.short(x))


class Attention(nn.Module):
    """Self-attention to means over 2 x 2 pixels' maxima, (N, C, H, W) -> same; at first nothing.

    Zhang et al., "Self-Attention Generative Adversarial Networks".
    """

    def __init__(self, c: int):
        super().__init__()
        inner = max(c // 8, 1)
        self.query, self.key = (nn.Conv2d(c, inner, 1, bias=False) for _ in range(2))
        self.value = nn.Conv2d(c, max(c // 2, 1), 1, bias=False)
        self.out = nn.Conv2d(max(c // 2, 1), c, 1, bias=False)
        self.gain = nn.Parameter(self.out.weight.new_zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        q = self.query(x).flatten(2).mT  # (N, HW, C / 8)
        k, v = (F.max_pool2d(f(x), 2).flatten(2).mT for f in (self.key, self.value))
        h = F.scaled_dot_product_attention(q, k, v, scale=1.0)  # (N, HW, C / 2)
        return x + self.gain * self.out(h.mT.unflatten(2, x.shape[2:]))


def begun(net: nn.Module, init: str) -> nn.Module:
    """The network with its initial weights, "orthogonal" or "normal" (deviation 0.02), biases 0;
    before `bound`."""
    for layer in _layers(net):
        if init == "orthogonal":
            nn.init.orthogonal_(layer.weight)
        else:
            nn.init.normal_(layer.weight, 0.0, 0.02)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    return net


def bound(net: nn.Module) -> nn.Module:
    """The network with every layer's largest singular value 1 (Miyato et al., "Spectral
    Normalization for Generative Adversarial Networks"), by one step of iteration a call."""
    for layer in _layers(net):
        spectral_norm(layer, eps=1e-6)
    return net


def free(net: nn.Module) -> dict[str, Tensor]:
    """The state dict of the network as it is without `bound`, with the weights that it computes
    with."""
    weights = {name: t for name, t in net.state_dict().items() if ".parametrizations." not in name}
    for name, layer in net.eval().named_modules():
        if is_parametrized(layer):
            weights[f"{name}.weight"] = layer.weight.detach()
    return weights


def known(size: int) -> int:
    """The size, or ValueError if there is no such network."""
    if size not in UP:
        raise ValueError(f"size is {size}; it may be {', '.join(map(str, UP))}")
    return size


def _layers(net: nn.Module) -> list[nn.Module]:
    return [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
