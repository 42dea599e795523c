"""A network that answers several questions, each with so many possible answers."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nearnd.networks.precision import exact


class Heads(nn.Module):
    """A trunk to features (N, width), and one linear layer, of which each question has a slice."""

    def __init__(self, trunk: nn.Module, width: int, sizes: Sequence[int]):
        super().__init__()
        self.trunk = trunk
        self.linear = nn.Linear(width, sum(sizes))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features (N, width) and logits (N, K), K the sum of the sizes."""
        h = self.trunk(x)
        return h, exact(self.linear, h)


def log_answers(logits: Tensor, sizes: Sequence[int]) -> Tensor:
    """log p (N, K) of logits (N, K): a softmax over the answers of each question, side by side."""
    return torch.cat([part.log_softmax(1) for part in logits.split([*sizes], 1)], 1)


def of_right(log_p: Tensor, answers: Tensor, sizes: Sequence[int]) -> Tensor:
    """log p (N, Q) of the right one of each question's answers (N, Q), each 0 to its size - 1."""
    first = torch.tensor([0, *sizes[:-1]], device=answers.device).cumsum(0)  # (Q,)
    return log_p.gather(1, first + answers)


def from_uniform(log_p: Tensor, sizes: Sequence[int]) -> Tensor:
    """Cross-entropy (N,) of answers all equally likely with p, its mean over the questions."""
    means = [part.mean(1) for part in log_p.split([*sizes], 1)]  # Q times (N,)
    return -torch.stack(means).mean(0)
