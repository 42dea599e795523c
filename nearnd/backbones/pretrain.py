"""A small backbone, trained here to tell the classes of a labelled image set apart.

The role that ImageNet-21k has in the papers, for images on which no public network was trained.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

# 0.8 million parameters: 8x8 images in 16 patches of 2x2
SMALL = {
    "img_size": 8, "patch_size": 2, "in_chans": 1, "embed_dim": 128, "depth": 4, "num_heads": 4,
}  # fmt: skip
TOY = {"epochs": 1, "batch": 8}
HELD_OUT = 0.05  # share of the images on which the reported accuracy is measured


def seeded(**arguments) -> bool:
    """See contracts.py."""
    return True


def work(about, *, model: str, kwargs: dict | None, epochs: int, batch: int, **rest) -> dict:
    """See contracts.py."""
    from nearnd.networks import flops

    network = flops.backbone(model, SMALL if kwargs is None else kwargs)
    return {"network": network, "shown": epochs * about.images, "batch": batch}


def features(*, kwargs: dict | None, **rest) -> int | None:
    """See contracts.py."""
    return (SMALL if kwargs is None else kwargs).get("embed_dim")


def sees(*, kwargs: dict | None, **rest) -> int | None:
    """See contracts.py."""
    return (SMALL if kwargs is None else kwargs).get("img_size")


@dataclass
class Pretrain:
    """Backbone (contracts.py): the timm network `model`, called with `kwargs`, trained with AdamW
    and cross-entropy.

    `warmup` is a share of the steps, a cosine follows; `smoothing` of the labels; `shift` moves
    images by up to so many pixels of the network's input, `flip` mirrors them (not for letters).
    `kwargs` null: a ViT of 0.8 million parameters for grey 8x8 images.
    """

    model: str = "vit_tiny_patch16_224"
    kwargs: dict | None = None
    epochs: int = 5
    batch: int = 64
    lr: float = 3e-3
    weight_decay: float = 0.05
    warmup: float = 0.1
    smoothing: float = 0.1
    shift: int = 0
    flip: bool = False
    mean: float | list[float] = 0.5
    std: float | list[float] = 0.5
    precision: Literal["auto", "fp32", "bf16"] = "auto"

    def make(self, images, classes, *, seed: int, folder: Path, progress) -> tuple[dict, dict]:
        """The trained weights, and facts with the accuracy on training and held-out images."""
        import torch
        from torch.nn import functional as F

        from nearnd.jobs import device
        from nearnd.jobs.training_loop import train
        from nearnd.networks.backbone import Classifier, create, describe, weights_of
        from nearnd.networks.batches import batch_rows, steps_per_epoch
        from nearnd.networks.precision import autocast, dtype
        from nearnd.networks.transform import View, view

        if images is None:
            raise ValueError("pretrain needs labelled images: set `dataset` in its entry")
        if len(classes) < 2:
            raise ValueError(f"pretrain needs at least two classes, the dataset has {classes}")
        on, kwargs = device.device(), SMALL if self.kwargs is None else self.kwargs
        torch.manual_seed(seed)
        network = create({"model": self.model, "kwargs": kwargs})
        facts = describe(network, self.model, kwargs, self.mean, self.std)
        net = Classifier(network, len(classes)).to(on)
        kind = dtype(net, on, self.precision)
        how = View(
            facts["resize"], facts["size"], facts["mean"], facts["std"], self.shift, self.flip
        ).check()

        order = np.random.default_rng(seed).permutation(len(images))
        n_held = max(1, round(HELD_OUT * len(images)))
        held, rows = np.sort(order[:n_held]), np.sort(order[n_held:])
        n, batch = len(rows), self.batch
        steps = self.epochs * steps_per_epoch(n, batch)
        warmup = max(1, round(self.warmup * steps))
        # weight decay on matrices only, not on biases, norms and the class token
        matrices = [p for p in net.parameters() if p.ndim > 1 and p.shape[0] > 1]
        others = [p for p in net.parameters() if not (p.ndim > 1 and p.shape[0] > 1)]
        groups = [{"params": matrices}, {"params": others, "weight_decay": 0.0}]
        decay = self.weight_decay
        optimizer = torch.optim.AdamW(groups, lr=self.lr, weight_decay=decay, fused=True)

        def schedule(step: int) -> float:  # linear warm-up, then half a cosine
            return min((step + 1) / warmup, 0.5 + 0.5 * math.cos(math.pi * step / steps))

        def loss(step: int):
            index = rows[batch_rows(step, n, batch, seed)]
            x = view(images.pixels[index], how, random=True).to(on)
            y = torch.from_numpy(np.asarray(images.labels[index])).to(on)
            with autocast(on, kind):
                logits = net(x)
            return F.cross_entropy(logits.float(), y, label_smoothing=self.smoothing)

        net.train()
        train(
            net, optimizer, loss, steps=steps, seed=seed, folder=folder, schedule=schedule,
            clip=1.0, progress=progress,
        )  # fmt: skip
        net.eval()

        def accuracy(index: np.ndarray) -> float:
            right = 0
            with torch.inference_mode(), autocast(on, kind):
                for part in np.array_split(index, -(-len(index) // 512)):
                    guess = net(view(images.pixels[part], how).to(on)).argmax(1).cpu().numpy()
                    right += int((guess == images.labels[part]).sum())
            return round(right / len(index), 4)

        facts |= {
            "classes": len(classes), "images": n, "steps": steps,
            "train_accuracy": accuracy(rows[: 8 * n_held]), "held_out_accuracy": accuracy(held),
        }  # fmt: skip
        return weights_of(network), facts


build = Pretrain
