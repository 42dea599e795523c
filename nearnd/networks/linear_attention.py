"""Transformer layers whose attention is linear in the number of places: Dinomaly's decoder."""

from torch import Tensor, nn
from torch.nn import functional as F


class LinearAttention(nn.Module):
    """With elu(q) + 1 and elu(k) + 1 in place of a softmax (Katharopoulos et al. 2020)."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        n, places, width = x.shape
        qkv = self.qkv(x).reshape(n, places, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (n, heads, P, d)
        q, k = F.elu(q) + 1, F.elu(k) + 1
        mixed = q @ (k.mT @ v) / (q @ k.sum(-2)[..., None])  # (n, heads, P, d)
        return self.proj(mixed.transpose(1, 2).reshape(n, places, width))


class Layer(nn.Module):
    """A layer of a ViT with that attention."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(width, eps=1e-8) for _ in range(2))
        self.attention = LinearAttention(width, heads)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Decoder(nn.Module):
    """A bottleneck with dropout, and `depth` layers: gives the outputs of all, the last first."""

    def __init__(self, width: int, depth: int, heads: int, dropout: float):
        super().__init__()
        self.bottleneck = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(width, 4 * width), nn.GELU(),
            nn.Dropout(dropout), nn.Linear(4 * width, width), nn.Dropout(dropout),
        )  # fmt: skip
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(depth))
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.01, a=-0.03, b=0.03)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> list[Tensor]:
        """`depth` tensors (n, P, D) of one (n, P, D)."""
        x, found = self.bottleneck(x), []
        for layer in self.layers:
            x = layer(x)
            found.append(x)
        return found[::-1]
