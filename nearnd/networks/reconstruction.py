"""NLN's networks for images of 28 and 32 pixels: encoder, decoder, and critics of images and codes.

Sizes of the released code: 2 x 2 kernels, 32 filters in every layer, Keras' initial weights. The
paper says that filters double and halve.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HALVINGS = 2  # of three blocks the last one does not pool
EPS = 1e-3  # of Keras' batch norms; their memory of 0.99 is too long for 300 updates


def check_side(side: int, who: str) -> None:
    """ValueError unless images of `side` pixels can be halved as often as the encoder does."""
    if side % 2**HALVINGS or not side:
        raise ValueError(
            f"{who} takes images whose side is a multiple of {2**HALVINGS}, these have {side}"
            " pixels: set `size` in the dataset's entry"
        )


def trunk(channels: int, side: int, width: int) -> nn.Sequential:
    """Images (N, channels, side, side) to (N, width * (side / 4)^2)."""
    layers: list[nn.Module] = []
    for i in range(HALVINGS + 1):
        layers += [nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(channels, width, 2), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if i < HALVINGS else []
        layers += [_norm(width)]
        channels = width
    return glorot(nn.Sequential(*layers, nn.Flatten()))


def encoder(channels: int, side: int, width: int, code: int) -> nn.Sequential:
    """Images to codes (N, code)."""
    n = width * (side >> HALVINGS) ** 2
    return nn.Sequential(trunk(channels, side, width), glorot(nn.Linear(n, code)))


class Variational(nn.Module):
    """Images to the mean and the logarithm of the variance of their codes, both (N, code)."""

    def __init__(self, channels: int, side: int, width: int, code: int):
        super().__init__()
        n = width * (side >> HALVINGS) ** 2
        hidden = glorot(nn.Linear(n, width))
        self.trunk = nn.Sequential(trunk(channels, side, width), hidden, nn.ReLU())
        self.mean, self.log_variance = (glorot(nn.Linear(width, code)) for _ in range(2))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.trunk(x)
        return self.mean(h), self.log_variance(h)


class Decoder(nn.Module):
    """Codes (N, code) to logits of pixels (N, channels, side, side)."""

    def __init__(self, channels: int, side: int, width: int, code: int):
        super().__init__()
        self.shape = (width, side >> HALVINGS, side >> HALVINGS)
        self.first = glorot(nn.Linear(code, width * self.shape[1] ** 2))
        self.convs = nn.ModuleList(_up(width, width) for _ in range(HALVINGS))
        self.norms = nn.ModuleList(_norm(width) for _ in range(HALVINGS))
        self.last = _up(width, channels)

    def forward(self, z: Tensor) -> Tensor:
        x = self.first(z).relu().unflatten(1, self.shape)  # (N, width, S / 4, S / 4)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = norm(F.interpolate(_same(conv, x).relu(), scale_factor=2))  # (N, width, 2 s, 2 s)
        return _same(self.last, x)  # (N, channels, S, S)


class Critic(nn.Module):
    """Images to a vector (N, code), and from it a logit (N,): is the image a real one?"""

    def __init__(self, channels: int, side: int, width: int, code: int):
        super().__init__()
        self.encoder = encoder(channels, side, width, code)
        self.last = glorot(nn.Linear(code, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.encoder(x)
        return h, self.last(h)[:, 0]


def critic_of_codes(code: int) -> nn.Sequential:
    """Codes (N, code) to logits (N,): is it drawn from a normal distribution?"""
    layers: list[nn.Module] = []
    for a, b in ((code, 64), (64, 128), (128, 256)):
        layers += [nn.Linear(a, b), nn.LeakyReLU(0.3), nn.Dropout(0.3)]
    return glorot(nn.Sequential(*layers, nn.Linear(256, 1), nn.Flatten(0)))


def glorot(net: nn.Module) -> nn.Module:
    """The network with Keras' initial weights: Glorot uniform, biases 0."""
    for layer in net.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return net


def told_apart(real: Tensor, fake: Tensor) -> Tensor:
    """A critic's loss of its logits (N,) of real and of fake things."""
    return said(real, True) + said(fake, False)


def said(logits: Tensor, real: bool) -> Tensor:
    """Cross-entropy of logits (N,) with the one answer that all shall have."""
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(real)))


def _norm(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, EPS)


def _up(channels: int, out: int) -> nn.ConvTranspose2d:
    return glorot(nn.ConvTranspose2d(channels, out, 2))


def _same(conv: nn.ConvTranspose2d, x: Tensor) -> Tensor:
    """The transposed convolution on a map of the same size: its last row and column are cut."""
    return conv(x)[:, :, :-1, :-1]
