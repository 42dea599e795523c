"""Transformaly: blocks that learn, on normal images alone, what the blocks of a frozen ViT do.

Cohen and Avidan, "Transformaly: Two (Feature Spaces) Are Better Than One", CVPR Workshops 2022.
Student i sees the teacher's input of block i and predicts its output; on anomalies it errs more.
The defaults are those of the authors' code and README. As in that code students start from random
Xavier weights; the paper says pretrained ones. Deviations: the last epoch is taken (the code takes
the best one on normal test images), and no dropout (the code's is active in the teacher too, so
that the outputs to be learnt are noisy).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from nearnd.contracts import Embedding, Progress, silent
from nearnd.detectors._trained import Given, OnBackbone, batched
from nearnd.jobs.device import device
from nearnd.networks.backbone import create, features
from nearnd.networks.batches import batch_rows, steps_per_epoch
from nearnd.networks.precision import autocast, dtype, for_inference
from nearnd.networks.transform import view

NEEDS = ["backbone"]
EMBEDS = ["features", "errors"]
BATCH = 32  # images embedded at once: as many activations as in a training step


def work(about, *, epochs: int, batch: int, **rest) -> dict:
    """See contracts.py."""
    return {"shown": epochs * about.images, "batch": batch}


class Imitation(nn.Module):
    """`teacher`, a frozen ViT, and for each of its blocks one of untrained `students` of the same
    build, which predicts the block's output."""

    def __init__(self, teacher: nn.Module, facts: dict):
        super().__init__()
        blocks = getattr(teacher, "blocks", None)
        listed = isinstance(blocks, nn.Sequential | nn.ModuleList)
        if not listed or not all(hasattr(block, "attn") for block in blocks):
            raise ValueError(
                f"transformaly needs a vision transformer, {facts['model']} has no blocks with"
                " attention: set another `backbone` in the detector's entry"
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


@dataclass
class Transformaly(OnBackbone):
    """Students of every block of a ViT, trained on the mean squared error over blocks, tokens and
    dimensions. The authors show square images of exactly the network's 384 pixels (`resize`)."""

    epochs: int = 30
    lr: float = 1e-4  # Adam
    batch: int = 32  # of the README; the code's own default is 6

    def learn(self, given: Given) -> None:
        """Trains the students on normal images, without augmentation."""
        on, pixels = device(), given.normal.pixels
        teacher, how = self.open(given), self.how
        torch.manual_seed(given.seed)
        self.net = pair = self.untrained(teacher).to(on).eval()
        xavier(pair.students)
        kind = dtype(pair.teacher, on, self.precision)

        def loss(step: int):
            rows = batch_rows(step, len(pixels), self.batch, given.seed)
            x = view(pixels[rows], how).to(on)
            with autocast(on, kind):
                _, errors = pair(x)
            for _ in pair.students:  # one student's graph in memory at a time
                with autocast(on, kind):
                    error = next(errors)  # (B,)
                yield error.mean() / len(pair.students)

        optimizer = torch.optim.Adam(pair.students.parameters(), self.lr)
        steps = self.epochs * steps_per_epoch(len(pixels), self.batch)
        given.train(pair.students, optimizer, loss, steps=steps)

    def untrained(self, teacher: nn.Module | None = None) -> Imitation:
        facts = self.facts["backbone"]
        return Imitation(teacher or self.bare(), facts)

    def embed(self, pixels: np.ndarray, *, seeds=None, progress: Progress = silent) -> Embedding:
        """{"features": float32 (N, D), as in `frozen`; "errors": float32 (N, blocks), each
        student's mean squared error over tokens and dimensions}."""
        pair, on, how = self.fitted("embed"), device(), self.how
        kind = dtype(pair.teacher, on, self.precision)
        quick = for_inference(pair, kind)

        def of(some: np.ndarray) -> tuple[Tensor, Tensor]:
            z, errors = quick(view(some, how).to(on))
            return z, torch.stack(list(errors), 1)  # (n, D), (n, blocks)

        with autocast(on, kind):
            h, e = batched(of, pixels, progress, BATCH)
        return {"features": h, "errors": e}


build = Transformaly
