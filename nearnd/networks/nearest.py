"""Distances to the nearest rows on the device of the job, for banks of many patches."""

import torch
from torch import Tensor

BUDGET = 1 << 26  # bytes of one temporary array
SPARE = 3  # candidates beyond k, for neighbours that rounding puts in another order


def nearest(bank: Tensor, queries: Tensor, k: int = 1) -> Tensor:
    """Squared Euclidean distances float32 (N, k) to the k nearest rows of the bank, nearest first.

    bank (M, D), queries (N, D), k <= M, both float32 on one device. One matrix product proposes
    k + SPARE candidates, whose distances are computed again as differences: a copy of a bank row
    gets exactly 0.
    """
    mean = bank.mean(0)  # centring makes the cancellation in |x|^2 - 2 x.b + |b|^2 smaller
    centred = bank - mean  # (M, D)
    norm = centred.square().sum(1)  # (M,)
    out = queries.new_empty(len(queries), k)
    rows = max(1, min(4096, BUDGET // (4 * max(bank.shape))))
    for i in range(0, len(queries), rows):
        x = queries[i : i + rows]  # (n, D)
        estimate = torch.addmm(norm, x - mean, centred.T, alpha=-2)  # (n, M) without |x|^2
        found = estimate.topk(min(len(bank), k + SPARE), largest=False).indices  # (n, c)
        exact = [(x - bank[column]).square().sum(1) for column in found.T]
        out[i : i + rows] = torch.stack(exact, 1).sort(1).values[:, :k]  # (n, k)
    return out
