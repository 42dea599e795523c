"""What PANDA and MSAD share: a backbone whose weights are moved a little, by plain SGD.

The network stays in evaluation mode while it is trained, so that the statistics of its batch norms
never move. One step changes so little (clip times lr is 1e-5 in PANDA) that bfloat16 would round it
away before the next forward pass: float32 is the default here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from nearnd.contracts import Embedding, Images, Progress, silent


class Tuned:
    """Detector (contracts.py) whose file is that of a backbone; `fit` is the method's own."""

    kind = ""

    def __init__(self, **options):
        self.options = options
        self.net = None

    def open(self, backbone: Path | None, normal: Images):
        """The network of the backbone's file on this job's device, frozen as the entry says.

        ValueError if there is no backbone or no normal image.
        """
        from nearnd.detectors._freeze import freeze_as
        from nearnd.detectors._vit import as_path, view_of
        from nearnd.jobs import device
        from nearnd.networks.backbone import load_backbone

        if not len(normal):
            raise ValueError(
                f"{self.kind} needs normal training images, this task has none: choose another"
                " `normals` or dataset in the experiment's entry"
            )
        o = self.options
        model, self.facts = load_backbone(as_path(backbone, self.kind))
        self.how = view_of(self.facts, o["resize"], o["crop"])
        freeze_as(model, o["freeze"])
        return model.to(device.device())

    def embed(self, pixels: np.ndarray, progress: Progress = silent) -> Embedding:
        """{"features": float32 (N, D)}, as in `frozen`."""
        from nearnd.detectors._vit import embed, fitted

        model = fitted(self.net, "embed")
        h = embed(model, pixels, self.how, self.options["precision"], progress)
        return {"features": h}  # (N, D)

    def save(self, path: Path) -> None:
        from nearnd.detectors._vit import fitted
        from nearnd.networks.backbone import save_backbone

        facts = self.facts | {"detector": self.kind, "view": list(self.how)}
        save_backbone(path, fitted(self.net, "save"), facts)

    def load(self, path: Path) -> None:
        from nearnd.jobs import device
        from nearnd.networks.backbone import load_backbone
        from nearnd.networks.transform import View

        model, self.facts = load_backbone(path)
        if self.facts.get("detector") != self.kind:
            raise ValueError(f"{path} is not the file of a `{self.kind}` detector")
        self.how = View(*self.facts["view"])
        self.net = model.to(device.device())


def descend(
    net, loss: Callable, o: dict, *, steps: int, seed: int, folder: Path | None, progress: Progress
) -> None:
    """Moves the unfrozen weights of `net` by SGD as the options say, in evaluation mode."""
    import torch

    from nearnd.jobs.training_loop import train

    trained = [p for p in net.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(
        trained, lr=o["lr"], momentum=o["momentum"], weight_decay=o["weight_decay"]
    )
    train(
        net.eval(), optimizer, loss, steps=steps, seed=seed, folder=folder, clip=o.get("clip"),
        progress=progress,
    )  # fmt: skip


def change(before: np.ndarray, after: np.ndarray) -> str:
    """Words on how far training moved the features (N, D), for the log."""
    moved = np.linalg.norm(after - before, axis=1).mean()
    spread = np.linalg.norm(before - before.mean(axis=0), axis=1).mean()
    return (
        f"features moved by {moved:.3g} on average; before, their distance from the mean was"
        f" {spread:.3g}"
    )
