"""Transformaly: blocks that learn, on normal images alone, what the blocks of a frozen ViT do.

Cohen and Avidan, "Transformaly: Two (Feature Spaces) Are Better Than One", CVPR Workshops 2022.
Student i sees the teacher's input of block i and predicts its output; on anomalies it errs more.
The defaults of `build` are those of the authors' code and README. As in that code students start
from random Xavier weights; the paper says pretrained ones. Deviations: the last epoch is taken (the
code takes the best one on normal test images), and no dropout (the code's is active in the teacher
too, so that the outputs to be learnt are noisy).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nearnd.contracts import Embedding, Images, Progress, silent

NEEDS = ["backbone"]
EMBEDS = ["features", "errors"]
BATCH = 32  # images embedded at once: as many activations as in a training step


def work(about, *, epochs: int, batch: int, **rest) -> dict:
    """See contracts.py."""
    return {"shown": epochs * about.images, "batch": batch}


class Transformaly:
    """Detector (contracts.py): a teacher, and a student for each of its blocks."""

    def __init__(self, **options):
        self.options = options
        self.pair = None

    def fit(
        self, normal: Images, *, outliers: np.ndarray | None = None, backbone: Path | None,
        seed: int, folder: Path | None, progress: Progress = silent,
    ) -> None:  # fmt: skip
        """Trains the students on normal images, without augmentation."""
        import torch

        from nearnd.detectors._imitation import Imitation, xavier
        from nearnd.detectors._vit import as_path, view_of
        from nearnd.jobs import device
        from nearnd.jobs.training_loop import train
        from nearnd.networks.backbone import load_backbone
        from nearnd.networks.batches import batch_rows, steps_per_epoch
        from nearnd.networks.precision import autocast, dtype
        from nearnd.networks.transform import view

        if not len(normal):
            raise ValueError(
                "transformaly needs normal training images, this task has none: choose another"
                " `normals` or dataset in the experiment's entry"
            )
        o, on, n = self.options, device.device(), len(normal)
        teacher, self.facts = load_backbone(as_path(backbone, "transformaly"))
        self.how = view_of(self.facts, o["resize"], o["crop"])
        torch.manual_seed(seed)
        pair = Imitation(teacher, self.facts).to(on).eval()
        xavier(pair.students)
        kind = dtype(pair.teacher, on, o["precision"])

        def loss(step: int):
            x = view(normal.pixels[batch_rows(step, n, o["batch"], seed)], self.how).to(on)
            with autocast(on, kind):
                _, errors = pair(x)
            for _ in pair.students:  # one student's graph in memory at a time
                with autocast(on, kind):
                    error = next(errors)  # (B,)
                yield error.mean() / len(pair.students)

        optimizer = torch.optim.Adam(pair.students.parameters(), lr=o["lr"])
        steps = o["epochs"] * steps_per_epoch(n, o["batch"])
        train(
            pair.students, optimizer, loss, steps=steps, seed=seed, folder=folder,
            progress=progress,
        )  # fmt: skip
        self.pair = pair

    def embed(self, pixels: np.ndarray, progress: Progress = silent) -> Embedding:
        """{"features": float32 (N, D), as in `frozen`; "errors": float32 (N, blocks), each
        student's mean squared error over tokens and dimensions}."""
        import torch

        from nearnd.detectors._vit import fitted
        from nearnd.jobs import device
        from nearnd.networks.precision import autocast, dtype, for_inference
        from nearnd.networks.transform import view

        pair, on = fitted(self.pair, "embed"), device.device()
        kind = dtype(pair.teacher, on, self.options["precision"])
        quick = for_inference(pair, kind)
        h = np.empty((len(pixels), pair.teacher.num_features), np.float32)
        e = np.empty((len(pixels), len(pair.students)), np.float32)
        with torch.inference_mode(), autocast(on, kind):
            for i in range(0, len(pixels), BATCH):
                z, errors = quick(view(pixels[i : i + BATCH], self.how).to(on))
                h[i : i + BATCH] = z.float().cpu().numpy()  # (n, D)
                e[i : i + BATCH] = torch.stack(list(errors), 1).cpu().numpy()  # (n, blocks)
                progress(min(i + BATCH, len(pixels)), len(pixels))
        return {"features": h, "errors": e}

    def save(self, path: Path) -> None:
        from nearnd.detectors._vit import fitted
        from nearnd.files.arrays import save_tensors
        from nearnd.networks.backbone import weights_of

        facts = {"detector": "transformaly", "view": list(self.how), "backbone": self.facts}
        save_tensors(path, weights_of(fitted(self.pair, "save")), **facts)

    def load(self, path: Path) -> None:
        from nearnd.detectors._imitation import Imitation
        from nearnd.files.arrays import load_tensors
        from nearnd.jobs import device
        from nearnd.networks.backbone import create, put_weights
        from nearnd.networks.transform import View

        weights, facts = load_tensors(path)
        if facts.get("detector") != "transformaly":
            raise ValueError(f"{path} is not the file of a `transformaly` detector")
        self.facts, self.how = facts["backbone"], View(*facts["view"])
        pair = Imitation(create(self.facts), self.facts)
        put_weights(pair, weights, path)
        self.pair = pair.to(device.device()).eval()


def build(
    epochs: int = 30,
    lr: float = 1e-4,  # Adam
    batch: int = 32,  # of the README; the code's own default is 6
    resize: int | None = None,
    crop: int | None = None,
    precision: str = "auto",
) -> Transformaly:
    """Students of every block of a ViT, trained on the mean squared error over blocks, tokens and
    dimensions. `resize`, `crop`, `precision`: as in `frozen`; the authors show square images of
    exactly the network's 384 pixels, which is resize 384."""
    return Transformaly(
        epochs=epochs, lr=lr, batch=batch, resize=resize, crop=crop, precision=precision
    )
