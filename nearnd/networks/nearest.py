"""Distances to the nearest rows on the device of the job, for banks of many patches."""

import torch
from torch import Tensor, nn

BUDGET = 1 << 26  # bytes of one temporary array
SPARE = 3  # candidates beyond k, for neighbours that rounding puts in another order


def nearest(bank: Tensor, queries: Tensor, k: int = 1) -> Tensor:
    """Squared Euclidean distances float32 (N, k) to the k nearest rows of the bank, nearest first.

    bank (M, D), queries (N, D), k <= M, both float32 on one device. One matrix product proposes
    k + SPARE candidates, whose distances are computed again as differences: a copy of a bank row
    gets exactly 0.
    """
    of = Nearest(bank, k)
    out = queries.new_empty(len(queries), k)
    rows = max(1, min(4096, BUDGET // (4 * max(bank.shape))))
    for i in range(0, len(queries), rows):
        out[i : i + rows] = of(queries[i : i + rows])  # (n, k)
    return out


class Nearest(nn.Module):
    """`nearest` of one bank for all queries at once, as a network."""

    def __init__(self, bank: Tensor, k: int):
        super().__init__()
        mean = bank.mean(0)  # centring makes the cancellation in |x|^2 - 2 x.b + |b|^2 smaller
        centred = bank - mean  # (M, D)
        self.k = k
        for name, tensor in {
            "bank": bank, "mean": mean, "centred": centred, "norm": centred.square().sum(1)
        }.items():  # fmt: skip
            self.register_buffer(name, tensor)

    def forward(self, x: Tensor) -> Tensor:
        """Rows (n, D) -> squared distances (n, k)."""
        # (n, M) without |x|^2
        estimate = torch.addmm(self.norm, x - self.mean, self.centred.T, alpha=-2)
        found = estimate.topk(min(len(self.bank), self.k + SPARE), largest=False).indices  # (n, c)
        exact = [(x - self.bank[column]).square().sum(1) for column in found.unbind(1)]
        return torch.stack(exact, 1).sort(1).values[:, : self.k]  # (n, k)
