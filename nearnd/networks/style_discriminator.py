"""StyleGAN2's discriminator: convolutions that halve the map, down to 4 x 4, and one number.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", figure 7.
"""

import torch
from torch import Tensor, nn

from nearnd.networks.equalized import Dense, EqualConv
from nearnd.networks.resample import down
from nearnd.networks.synthesis import HALF, sides, width


class StyleDiscriminator(nn.Module):
    """Images (N, channels, size, size) -> logits (N,), higher for real.

    architecture: "residual" has a connection around the two convolutions of each side, "skip" shows
    the image, made smaller, at each of them, "plain" has neither. group: images over which the
    minibatch's deviation is taken; N must be a multiple of it, or less.
    """

    def __init__(
        self,
        *,
        size: int,
        channels: int,
        channel_base: int,
        channel_max: int,
        architecture: str,
        group: int,
    ) -> None:
        super().__init__()
        self.group, self.skip = group, architecture == "skip"
        wide = {side: width(side, channel_base, channel_max) for side in sides(size)}
        seen = sides(size)[::-1]
        shown = seen if self.skip else [size]
        self.of_image = nn.ModuleList(EqualConv(channels, wide[side], 1) for side in shown)
        self.pairs, self.around = nn.ModuleList(), nn.ModuleList()
        residual = architecture == "residual"
        for side in seen[:-1]:
            a, b = wide[side], wide[side // 2]
            halving = EqualConv(a, b, halve=True, gain=HALF if residual else 1.0)
            self.pairs.append(nn.Sequential(EqualConv(a, a), halving))
            if residual:
                around = EqualConv(a, b, 1, act=False, bias=False, halve=True, gain=HALF)
                self.around.append(around)
        c = wide[4]
        self.last = EqualConv(c + 1, c)
        self.hidden, self.logit = Dense(c * 16, c, act=True), Dense(c, 1)

    def forward(self, image: Tensor) -> Tensor:
        x = self.of_image[0](image)  # (N, C, size, size)
        for i, pair in enumerate(self.pairs):
            y = pair(x)  # (N, C', H/2, W/2)
            x = y + self.around[i](x) if self.around else y
            if self.skip:
                image = down(image, fir=True)
                x = x + self.of_image[i + 1](image)
        x = self.last(with_deviation(x, self.group))  # (N, C, 4, 4)
        return self.logit(self.hidden(x.flatten(1)))[:, 0]  # (N,)


def with_deviation(x: Tensor, group: int) -> Tensor:
    """(N, C, H, W) -> (N, C + 1, H, W): with the mean over all numbers of a map of their deviation
    over `group` images, so that a lack of variety can be seen ("Progressive Growing", section 3).
    A group is every (N / group)-th image.
    """
    n, _, h, w = x.shape
    group = min(group, n)
    parts = x.unflatten(0, (group, n // group))  # (group, N/group, C, H, W)
    std = (parts.var(0, correction=0) + 1e-8).sqrt().mean((1, 2, 3))  # (N/group,)
    return torch.cat([x, std.repeat(group)[:, None, None, None].expand(n, 1, h, w)], 1)
