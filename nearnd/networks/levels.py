"""One resolution of the score network: its blocks, and the pyramid of images beside them."""

import torch
from torch import Tensor, nn

from nearnd.networks.attention import PixelAttention
from nearnd.networks.init import TINY, conv, norm
from nearnd.networks.norm import group_norm
from nearnd.networks.resample import DownConv, UpConv, down, up
from nearnd.networks.residual import ResBlock
from nearnd.networks.variant import Variant


class EncoderLevel(nn.Module):
    """Blocks, then, if not `last`, the way to half the size, where the image comes in once more.

    variant.inner "skip": the image is halved and goes through a 1 x 1 convolution. "residual": it
    is halved by a convolution, and what comes out of the sum goes on as the image.
    """

    def __init__(
        self, channels: int, out: int, image: int, features: int, blocks: int, attend: bool,
        last: bool, variant: Variant,
    ) -> None:  # fmt: skip
        super().__init__()
        self.variant = variant
        self.widths = [out] * blocks  # of the maps that the decoder gets
        self.blocks = nn.ModuleList()  # residual blocks and attention, in order
        for i in range(blocks):
            self.blocks.append(variant.block(channels if i == 0 else out, out, features))
            if attend:
                self.blocks.append(variant.attention(out))
        self.down = None if last else variant.halve(out, features)
        self.image_width = image
        if not last and variant.inner == "residual":
            self.image, self.image_width = DownConv(image, out, variant.fir), out
        elif not last and variant.inner == "skip":
            self.image = conv(image, out, 1)
            out *= 2 if variant.combine == "cat" else 1
        if not last:
            self.widths.append(out)

    def forward(self, h: Tensor, x: Tensor, e: Tensor) -> tuple[list[Tensor], Tensor]:
        """Map h, image x, noise features e -> maps for the decoder, the last of them for the next
        level too, and the image for it."""
        maps = []
        for block in self.blocks:
            if isinstance(block, PixelAttention):
                maps[-1] = h = block(h)
            else:
                h = block(h, e)
                maps.append(h)
        if self.down is None:
            return maps, x
        v = self.variant
        h = self.down(h, e) if isinstance(self.down, ResBlock) else self.down(h)
        if v.inner == "residual":
            x = h = (self.image(x) + h) * v.gain
        elif v.inner == "skip":
            x = down(x, v.fir)
            y = self.image(x)
            h = torch.cat([y, h], 1) if v.combine == "cat" else y + h
        return [*maps, h], x


class DecoderLevel(nn.Module):
    """Blocks that also see the maps of the encoder, then the output's part from this level, then,
    if not `last`, the way to twice the size.

    skips: the widths of the encoder's maps. image: the width of the output so far, 0 for nothing.
    variant.outer "skip": each level adds an image. "residual": each level's map is added to the
    output so far, and the sum goes on as the map too.
    """

    def __init__(
        self, channels: int, skips: list[int], out: int, image: int, pixels: int, features: int,
        attend: bool, last: bool, variant: Variant,
    ) -> None:  # fmt: skip
        super().__init__()
        self.variant = variant
        self.blocks = nn.ModuleList()
        for skip in skips:
            self.blocks.append(variant.block(channels + skip, out, features))
            channels = out
        if attend:
            self.blocks.append(variant.attention(out))
        if variant.outer == "skip":
            self.norm, self.image = norm(out), conv(out, pixels, 3, scale=TINY)
        elif variant.outer == "residual" and not image:
            self.norm, self.image = norm(out), conv(out, out, 3)
        elif variant.outer == "residual":
            self.image = UpConv(image, out, variant.fir)
        self.up = None if last else variant.double(out, features)

    def forward(
        self, h: Tensor, skips: list[Tensor], y: Tensor | None, e: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Map h, the encoder's maps (their last ones are taken), output so far y -> h, y."""
        for block in self.blocks:
            if isinstance(block, PixelAttention):
                h = block(h)
            else:
                h = block(torch.cat([h, skips.pop()], 1), e)
        v = self.variant
        if v.outer == "skip":
            out = self.image(group_norm(h, self.norm))
            y = out if y is None else up(y, v.fir) + out
        elif v.outer == "residual" and y is None:
            y = self.image(group_norm(h, self.norm))
        elif v.outer == "residual":
            y = h = (self.image(y) + h) * v.gain
        if self.up is not None:
            h = self.up(h, e) if isinstance(self.up, ResBlock) else self.up(h)
        return h, y
