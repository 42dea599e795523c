"""The modulated convolution of StyleGAN2: each image has its own scale for each input channel.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", section 2.2.
"""

import torch.nn.functional as F
from torch import Tensor

from nearnd.networks.resample import filtered

EPS = 1e-8


def modulated(
    x: Tensor, weight: Tensor, s: Tensor, *, demodulate: bool = True, double: bool = False
) -> Tensor:
    """Convolution of x (N, C, H, W) with w'_n = s_n w for image n; weight w (O, C, k, k), s (N, C);
    k is 1 or 3, and 3 with `double`.

    demodulate: w'' = w' / ||w'|| for each output channel (eq. 3), so that inputs of unit variance
    give outputs of unit variance. double: of the map with twice the height and width, by a
    transposed convolution and the FIR filter. Scaling the maps before and after one ordinary
    convolution is the same as a convolution of its own for each image, and quicker on processors.
    """
    y = x * s[:, :, None, None]  # (N, C, H, W)
    if double:
        y = F.conv_transpose2d(y, weight.transpose(0, 1), stride=2)  # (N, O, 2H + 1, 2W + 1)
        y = filtered(y, padding=1, gain=4)  # (N, O, 2H, 2W)
    else:
        y = F.conv2d(y, weight, padding=weight.shape[-1] // 2)  # (N, O, H, W)
    if not demodulate:
        return y
    return y * norms(weight, s).reciprocal()[:, :, None, None]


def norms(weight: Tensor, s: Tensor) -> Tensor:
    """||w'_n|| of each output channel, (N, O)."""
    w2 = weight.square().sum((2, 3))  # (O, C)
    return (s.square() @ w2.T + EPS).sqrt()  # (N, O)
