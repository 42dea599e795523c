"""Contrastive losses: two views of one image are to be alike, and unlike all others of the batch.

Rows i and i + N/2 of z (N, D) are views of one image; rows have length 1, so that products are
cosines. t is the temperature.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def nt_xent(z: Tensor, temperature: float) -> Tensor:
    """mean_i -log(exp(z_i z_i' / t) / sum over k other than i of exp(z_i z_k / t)), with i' the
    other view of i (SimCLR, Chen et al. 2020). CSI's code adds 1e-8 inside the logarithm."""
    other = torch.arange(len(z), device=z.device).roll(len(z) // 2)  # (N,)
    return F.cross_entropy(_logits(z, temperature), other)


def supervised_nt_xent(z: Tensor, label: Tensor, temperature: float) -> Tensor:
    """mean_i mean_p -log(exp(z_i z_p / t) / sum over k other than i of exp(z_i z_k / t)), p over
    the rows of the same label (N,) but i itself (Khosla et al., "Supervised Contrastive Learning",
    2020).

    CSI's code counts i among its own positives: a constant, and gradients times P / (P + 1) for P
    positives.
    """
    log_p = _logits(z, temperature).log_softmax(1)  # (N, N), -inf on the diagonal
    same = (label[:, None] == label).fill_diagonal_(False)  # (N, N)
    return -(log_p.where(same, 0).sum(1) / same.sum(1)).mean()


def nt_xent_of_normal(z: Tensor, temperature: float) -> Tensor:
    """UNODE's, as its paper writes it: of 4 B rows, in two views each B normal images and a changed
    copy of each, mean_i -log(exp(z_i z_i' / t) / (exp(z_i z_i' / t) + sum_k exp(z_i z_k / t))), i
    over the normal rows, i' the other view of i, k over the changed copies of other images.

    The paper names no temperature. With B = 1 there is no other image, and it is 0.
    """
    n = len(z) // 4
    z = z.unflatten(0, (2, 2, n))  # view, changed or not, image
    normal, copies = z[:, 0], z[:, 1].flatten(0, 1)  # (2, B, D), (2 B, D)
    positive = (normal[0] * normal[1]).sum(1) / temperature  # (B,)
    own = torch.eye(n, dtype=torch.bool, device=z.device).repeat(1, 2)  # (B, 2 B)
    total = 0
    for view in normal:
        negative = (view @ copies.T / temperature).masked_fill(own, -torch.inf)
        total = total + torch.cat([positive[:, None], negative], 1).logsumexp(1) - positive
    return total.mean() / 2


def _logits(z: Tensor, temperature: float) -> Tensor:
    """Cosines over t (N, N); a row is not compared with itself."""
    similar = z @ z.T / temperature
    return similar.masked_fill(torch.eye(len(z), dtype=torch.bool, device=z.device), -torch.inf)
