"""The invertible steps of Glow on maps (n, C, h, w): each has `forward`, which gives its output and
the log determinant (n,) of its Jacobian, and `inverse`.

Kingma and Dhariwal (2018), "Glow: Generative Flow with Invertible 1x1 Convolutions", section 3.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEAST = 1e-6  # standard deviation of a channel, when a norm starts

Net = Callable[[int, int], nn.Module]  # (channels in, channels out) -> a network that keeps a map


class ActNorm(nn.Module):
    """Each channel moved and scaled by trained numbers; `start` sets them."""

    def __init__(self, channels: int):
        super().__init__()
        self.offset = nn.Parameter(torch.zeros(channels, 1, 1))
        self.log_scale = nn.Parameter(torch.zeros(channels, 1, 1))

    @torch.no_grad()
    def fit(self, x: Tensor) -> None:
        """Makes mean 0 and deviation 1 of the channels of x."""
        self.offset.copy_(x.mean((0, 2, 3))[:, None, None])
        std = x.std((0, 2, 3), correction=0)[:, None, None]  # (C, 1, 1)
        self.log_scale.copy_((std + LEAST).log())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = (x - self.offset) * (-self.log_scale).exp()
        return y, -(_places(x) * self.log_scale.sum()).expand(len(x))

    def inverse(self, y: Tensor) -> Tensor:
        return y * self.log_scale.exp() + self.offset


class Invertible1x1(nn.Module):
    """Channels mixed by W = P L (U + diag(s)) (section 3.2), at first a random rotation. P and the
    signs of s stay as they are."""

    def __init__(self, channels: int):
        super().__init__()
        rotation, _ = torch.linalg.qr(torch.randn(channels, channels))
        p, lower, upper = torch.linalg.lu(rotation)
        s = upper.diagonal()
        self.register_buffer("p", p)
        self.register_buffer("sign", s.sign())
        self.lower, self.upper = nn.Parameter(lower), nn.Parameter(upper)
        self.log_s = nn.Parameter(s.abs().log())

    def weight(self) -> Tensor:
        """W (C, C)."""
        lower = self.lower.tril(-1) + torch.eye(
            len(self.p), device=self.p.device, dtype=self.p.dtype
        )
        return self.p @ lower @ (self.upper.triu(1) + (self.sign * self.log_s.exp()).diag())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = F.conv2d(x, self.weight()[..., None, None])
        return y, (_places(x) * self.log_s.sum()).expand(len(x))

    def inverse(self, y: Tensor) -> Tensor:
        inverted = torch.linalg.inv(self.weight().double()).to(y.dtype)  # (C, C)
        return F.conv2d(y, inverted[..., None, None])


class AffineCoupling(nn.Module):
    """The second half of the channels, scaled and moved by what `net` makes of the first half, and
    of a map (n, context, h, w) that is given beside. The scale is exp(2 tanh(s / 2)), as in the
    code of DenseFlow: it stays between 0.14 and 7.4."""

    def __init__(self, channels: int, net: Net, context: int = 0):
        super().__init__()
        self.own = channels - channels // 2
        self.net = net(self.own + context, 2 * (channels - self.own))

    def _parts(self, first: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """Log scales and offsets (n, C // 2, h, w)."""
        seen = first if context is None else torch.cat([first, context], 1)
        return scale_and_offset(self.net(seen))

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        first, last = x[:, : self.own], x[:, self.own :]
        log_scale, offset = self._parts(first, context)
        y = torch.cat([first, last * log_scale.exp() + offset], 1)
        return y, log_scale.sum((1, 2, 3))

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        first, last = y[:, : self.own], y[:, self.own :]
        log_scale, offset = self._parts(first, context)
        return torch.cat([first, (last - offset) * (-log_scale).exp()], 1)


class Steps(nn.Module):
    """Invertible steps in a row."""

    def __init__(self, *steps: nn.Module):
        super().__init__()
        self.steps = nn.ModuleList(steps)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(n, C, h, w), and the log determinant (n,) of the Jacobian."""
        total = x.new_zeros(len(x))
        for step in self.steps:
            x, log_det = step(x)
            total = total + log_det
        return x, total

    def inverse(self, y: Tensor) -> Tensor:
        for step in reversed(self.steps):
            y = step.inverse(y)
        return y


def glow_steps(channels: int, count: int, net: Net) -> Steps:
    """Glow's step of flow, `count` times."""
    return Steps(*(
        step
        for _ in range(count)
        for step in (ActNorm(channels), Invertible1x1(channels), AffineCoupling(channels, net))
    ))  # fmt: skip


def scale_and_offset(y: Tensor) -> tuple[Tensor, Tensor]:
    """A network's output (n, 2 C, h, w) as log scales, between -2 and 2, and offsets."""
    s, offset = y.chunk(2, 1)
    return 2 * torch.tanh(s / 2), offset


@torch.no_grad()
def start(net: nn.Module, *inputs: Tensor) -> None:
    """Fits each `ActNorm` of the network to what reaches it, from these inputs (section 3.1)."""
    norms = [module for module in net.modules() if isinstance(module, ActNorm)]
    hooks = [norm.register_forward_pre_hook(lambda norm, args: norm.fit(args[0])) for norm in norms]
    net(*inputs)
    for hook in hooks:
        hook.remove()


def squeeze(x: Tensor) -> Tensor:
    """(n, C, h, w) -> (n, 4 C, h / 2, w / 2): each square of four places becomes one."""
    return F.pixel_unshuffle(x, 2)


def unsqueeze(y: Tensor) -> Tensor:
    """The inverse of `squeeze`."""
    return F.pixel_shuffle(y, 2)


def _places(x: Tensor) -> int:
    return x.shape[2] * x.shape[3]
