"""DenseFlow: a flow whose maps grow by noise that is made fit to what came before.

Grcić, Grubišić and Šegvić (NeurIPS 2021), "Densely connected normalizing flows". Together the image
x and all noise e are one vector that is mapped to z, one to one; log p(x) is at least the mean over
e of log N(z) + log |det dz / d(x, e)| - log N(e).

With the same weights and the same networks in the couplings a block gives what the authors' code
gives (github.com/matejgrcic/DenseFlow; compared in float64).
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nearnd.networks.dense_block import AttentiveDenseNet, zeroed
from nearnd.networks.dequantisation import Uniform, Variational, log_normal
from nearnd.networks.glow import ActNorm, glow_steps, scale_and_offset, squeeze, unsqueeze

LEVELS = 256  # of a byte


class CrossUnit(nn.Module):
    """Cross-unit coupling: noise (n, growth, h, w), scaled and moved by what a small network makes
    of earlier maps."""

    def __init__(self, channels: int, growth: int):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels, 4 * channels, 3, padding=1), nn.ReLU(),
            zeroed(nn.Conv2d(4 * channels, 2 * growth, 1)),
        )  # fmt: skip

    def forward(self, noise: Tensor, earlier: list[Tensor]) -> tuple[Tensor, Tensor]:
        log_scale, offset = scale_and_offset(self.net(torch.cat(earlier, 1)))
        return noise * log_scale.exp() + offset, log_scale.sum((1, 2, 3))

    def inverse(self, y: Tensor, earlier: list[Tensor]) -> Tensor:
        log_scale, offset = scale_and_offset(self.net(torch.cat(earlier, 1)))
        return (y - offset) * (-log_scale).exp()


class Block(nn.Module):
    """Units of Glow's steps on maps (n, C, h, w); before each but the first, `growth` channels of
    noise are put beside, which see the inputs of all units before the last one."""

    def __init__(self, channels: int, units: int, steps: int, growth: int, net):
        super().__init__()
        widths = [channels + i * growth for i in range(units)]  # of the units
        self.growth, self.out = growth, widths[-1]
        self.units = nn.ModuleList(glow_steps(c, steps, net) for c in widths)
        inputs = [channels, *widths]  # what `forward` collects: without the noise of that unit
        seen = [sum(inputs[:i]) for i in range(1, units)]
        self.cross = nn.ModuleList(CrossUnit(c, growth) for c in seen)

    def forward(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Of noise (n, (units - 1) growth, h, w): (n, C + (units - 1) growth, h, w), and the log
        determinant (n,)."""
        parts = noise.split(self.growth, 1) if self.cross else ()
        h, inputs, total = x, [], x.new_zeros(len(x))
        for i, unit in enumerate(self.units):
            inputs.append(h)
            if i:
                y, log_det = self.cross[i - 1](parts[i - 1], inputs[:i])
                h, total = torch.cat([h, y], 1), total + log_det  # (n, C + i growth, h, w)
            h, log_det = unit(h)
            total = total + log_det
        return h, total

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """x and noise of z = forward(x, noise)[0]."""
        h, inputs, beside = z, [], []
        for i in reversed(range(len(self.units))):
            h = self.units[i].inverse(h)
            if i:
                h, y = h[:, : -self.growth], h[:, -self.growth :]
                beside.insert(0, y)
            inputs.insert(0, h)
        noise = [self.cross[i].inverse(y, inputs[: i + 1]) for i, y in enumerate(beside)]
        return h, torch.cat(noise, 1) if noise else h[:, :0]


class DenseFlow(nn.Module):
    """A block for each level; between two, half of the numbers are set apart as they are."""

    def __init__(
        self,
        size: int,
        channels: int,
        units: Sequence[int],
        modules: Sequence[int],
        growth: int,
        width: int,
        layers: int,
        layer_growth: int,
        variational: Sequence[int] | None = None,
    ):
        """units, modules: of each level, how many units, and Glow's steps in each. growth:
        channels of noise that a unit adds. width, layers, layer_growth: of the couplings' dense
        networks. variational: width, layers and growth of those of a dequantisation that sees the
        image; None: it is uniform."""
        super().__init__()

        def net(c: int, out: int) -> nn.Module:
            return AttentiveDenseNet(c, out, width, layers, layer_growth)

        self.shape = channels, size, size
        self.blocks, self.maps = nn.ModuleList(), []  # maps: channels of noise and side, by level
        c, side = channels, size
        for i, (n, k) in enumerate(zip(units, modules, strict=True)):
            c, side = (2 if i else 4) * c, side // 2
            block = Block(c, n, k, growth, net)
            self.blocks.append(block)
            self.maps.append(((n - 1) * growth, side))
            c = block.out
        self.last = ActNorm(c)  # its inverse gives the prior a mean and a deviation for a channel
        self.end = c, side, side
        self.dequantise = Variational(channels, *variational) if variational else Uniform()
        self.pixels = math.prod(self.shape)  # numbers of an image x, of its noise e, and of z
        self.noise = sum(g * s * s for g, s in self.maps)
        self.latent = self.pixels + self.noise

    def forward(self, x: Tensor, e: Tensor) -> tuple[Tensor, Tensor]:
        """z (n, latent) of x (n, C, S, S) and e (n, noise), and the log determinant (n,)."""
        sizes = [g * s * s for g, s in self.maps]
        parts = e.split(sizes, 1)
        h, apart, total = x, [], x.new_zeros(len(x))
        for i, (block, (g, side)) in enumerate(zip(self.blocks, self.maps, strict=True)):
            h = squeeze(h)
            if i:
                h, z = h.chunk(2, 1)
                apart.append(z.flatten(1))
            h, log_det = block(h, parts[i].view(len(x), g, side, side))
            total = total + log_det
        h, log_det = self.last(h)
        return torch.cat([*apart, h.flatten(1)], 1), total + log_det

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """x and e of z = forward(x, e)[0]."""
        first = 0
        apart = []
        for block, (_, side) in zip(self.blocks[:-1], self.maps[1:], strict=False):
            size = 2 * block.out * side * side
            apart.append(z[:, first : first + size].view(-1, 2 * block.out, side, side))
            first += size
        h, e = self.last.inverse(z[:, first:].view(-1, *self.end)), []
        for i in reversed(range(len(self.blocks))):
            h, noise = self.blocks[i].inverse(h)
            e.insert(0, noise.flatten(1))
            h = unsqueeze(torch.cat([h, apart[i - 1]], 1) if i else h)
        return h, torch.cat(e, 1)

    def bits_per_dim(self, image: Tensor, noise: Tensor) -> Tensor:
        """An upper bound of bits per dimension (n,), on average over noise, of images (n, C, S, S),
        bytes over 255; noise is standard-normal (n, pixels + noise)."""
        return -self.log_bound(image, noise) / (math.log(2) * self.pixels)

    def log_bound(self, image: Tensor, noise: Tensor) -> Tensor:
        """That is, a lower bound (n,) of the logarithm of their probability."""
        x, e, log_q = self.spread(image, noise)
        z, log_det = self(x, e)
        return log_normal(z) + log_det - log_normal(e) - log_q - self.pixels * math.log(LEVELS)

    def spread(self, image: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x in [-0.5, 0.5), anywhere in the cells of these bytes, e, and log q(x) (n,), up to the
        size of a cell."""
        eps, e = noise.split([self.pixels, self.noise], 1)
        u, log_q = self.dequantise(image, eps.reshape(image.shape))
        return ((LEVELS - 1) * image + u) / LEVELS - 0.5, e, log_q

    def images(self, z: Tensor) -> Tensor:
        """Bytes over 255, (n, C, S, S), of z (n, latent)."""
        x, _ = self.inverse(z)
        return (LEVELS * (x + 0.5)).floor().clamp(0, LEVELS - 1) / (LEVELS - 1)
