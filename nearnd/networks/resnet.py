"""Residual networks without classifier, timm's, also with a stem for small images.

timm's own begin with a 7 x 7 convolution of stride 2 and a max-pooling, which leaves 8 x 8 of 32 x
32 pixels. The usual network for CIFAR begins with a 3 x 3 convolution that keeps the size.
"""

from torch import nn

BLOCKS = {10: (1, 1, 1, 1), 18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}  # by depth
STEMS = ("small", "large")
BOTTLENECK = 50  # this deep, blocks have three convolutions


def resnet(channels: int, depth: int, width: int, stem: str) -> nn.Module:
    """Images (N, channels, H, W) to (N, `num_features`), the mean over the last map.

    `width` is that of the first stage, 64 in the originals; the others have 2, 4 and 8 times as
    many channels, and halve the map. The stem has 64, "small" for images of up to about 64 pixels,
    or "large".
    """
    from timm.models.resnet import BasicBlock, Bottleneck, ResNet

    block = Bottleneck if depth >= BOTTLENECK else BasicBlock
    widths = tuple(width * 2**stage for stage in range(4))
    net = ResNet(block, BLOCKS[depth], 0, in_chans=channels, channels=widths, zero_init_last=False)
    if stem == "small":
        net.conv1 = nn.Conv2d(channels, net.conv1.out_channels, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(net.conv1.weight, mode="fan_out", nonlinearity="relu")
        net.maxpool = nn.Identity()
    return net
