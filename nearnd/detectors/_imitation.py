"""A frozen ViT, and for each of its blocks a student that predicts the block's output."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from nearnd.networks.backbone import create, features


class Imitation(nn.Module):
    """`teacher`, whose weights stay, and untrained `students` of the same build."""

    def __init__(self, teacher: nn.Module, facts: dict):
        super().__init__()
        if not isinstance(getattr(teacher, "blocks", None), nn.Sequential | nn.ModuleList):
            raise ValueError(
                f"transformaly needs a vision transformer, {facts['model']} has no `blocks`: set"
                " another `backbone` in the detector's entry"
            )
        self.teacher = teacher.requires_grad_(False)
        self.students = nn.ModuleList(create(facts).blocks)

    def forward(self, x: Tensor) -> tuple[Tensor, Iterator[Tensor]]:
        """The teacher's features (N, D), and each student's mean squared error (N,), one student
        at a time."""
        seen: list[tuple] = []
        hooks = [
            block.register_forward_hook(
                lambda _, args, kwargs, out: seen.append((args, kwargs, out)), with_kwargs=True
            )
            for block in self.teacher.blocks
        ]
        try:
            with torch.no_grad():
                z = features(self.teacher, x)  # (N, D)
        finally:
            for hook in hooks:
                hook.remove()
        return z, (
            (student(*args, **kwargs).float() - out.float()).square().flatten(1).mean(1)  # (N,)
            for student, (args, kwargs, out) in zip(self.students, seen, strict=True)
        )


def xavier(blocks: nn.Module) -> None:
    """The ViT's own start: Xavier uniform matrices, biases near 0; query, key and value, which are
    one matrix here, are three."""
    for name, module in blocks.named_modules():
        if isinstance(module, nn.Linear):
            with torch.no_grad():
                for part in module.weight.chunk(3 if name.endswith("qkv") else 1):
                    nn.init.xavier_uniform_(part)
            if module.bias is not None:
                nn.init.normal_(module.bias, std=1e-6)
