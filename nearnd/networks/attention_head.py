"""A small transformer that says of each patch of an image whether it is normal: GeneralAD's."""

import torch
from torch import Tensor, nn


class Layer(nn.Module):
    """Self-attention with a norm after it, then two linear layers without one."""

    def __init__(self, width: int, hidden: int, heads: int, dropout: float):
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, dropout=dropout, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x + self.dropout(self.attention(x, x, x, need_weights=False)[0]))
        return x + self.dropout(self.down(self.dropout(nn.functional.gelu(self.up(x)))))


class PatchHead(nn.Module):
    """Logits (n, P) of patches (n, P, D), higher for anomalies. Each place has a learnt code, which
    starts as random as the authors' (standard normal)."""

    def __init__(
        self, places: int, width: int, layers: int, hidden: int, heads: int, dropout: float = 0.0
    ):
        super().__init__()
        self.place = nn.Parameter(torch.randn(places, width))
        self.layers = nn.Sequential(*(Layer(width, hidden, heads, dropout) for _ in range(layers)))
        self.out = nn.Linear(width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.layers(x + self.place)).squeeze(-1)  # (n, P)
