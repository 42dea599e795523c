"""How fast a ViT-S/14 and EfficientNet-Lite0 are fine-tuned and embed, through the detectors.

    python benchmarks/backbones.py [--threads 2]

Random weights, random images of 32 pixels that are enlarged as in every run. The model rate is 3 x
the forward FLOPs x images/s in training, however much of the network is frozen, and 1 x in
embedding, divided by the rate of a 2048^3 product of float32 matrices in the same run. The
yardstick is a plain loop over timm's network and ready images, in the precision of `auto`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from score_sde import SIDE
from torch.nn import functional as F

from nearnd.contracts import Images
from nearnd.detectors import binary, frozen
from nearnd.jobs.malloc import keep_freed_memory
from nearnd.networks.backbone import Classifier, create, describe, features, save_backbone
from nearnd.networks.flops import forward_flops
from nearnd.networks.precision import autocast, dtype

CPU, BATCH, EMBED, STEPS = torch.device("cpu"), 16, 64, 6
NETWORKS = {  # name: timm's, and its arguments at a side
    "ViT-S/14": ("vit_small_patch14_dinov2", (112, 224), lambda side: {"img_size": side}),
    "EfficientNet-Lite0": ("tf_efficientnet_lite0", (128, 224), lambda side: {}),
}
TRAININGS = {
    "half frozen": {},
    "half and stem frozen": {"freeze_stem": True},
    "the same, of views": {"freeze_stem": True, "views": 1},
}

Row = tuple[str, float, str, float]


def quickest(function, times: int = 3) -> float:
    """Seconds of the quickest of so many calls, after one that is not counted."""
    function()
    found = []
    for _ in range(times):
        began = time.perf_counter()
        function()
        found.append(time.perf_counter() - began)
    return min(found)


def noise(n: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, 32, 32, 3), np.uint8)


def plain(model: torch.nn.Module, side: int) -> tuple[float, float]:
    """Images/s of training the later half, and of embedding, as one would write it."""
    net = Classifier(model, 2)
    binary.freeze(net.backbone, 0.5, False)
    trained = [p for p in net.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, 4e-4, weight_decay=5e-5)
    x, y = torch.randn(EMBED, 3, side, side), torch.arange(BATCH) % 2

    def train() -> None:
        with autocast(CPU, dtype(net, CPU, training=True)):
            logits = net(x[:BATCH])
        optimizer.zero_grad()
        F.cross_entropy(logits.float(), y).backward()
        optimizer.step()

    def embed() -> None:
        with torch.inference_mode(), autocast(CPU, dtype(net, CPU)):
            features(model, x)

    net.train()
    took = quickest(train)
    net.eval()
    return BATCH / took, EMBED / quickest(embed)


def ours_train(backbone: Path, side: int, **options) -> tuple[float, float]:
    """Images/s of training, and of computing views (0 if there are none)."""
    n = BATCH * STEPS
    pixels, stamps = noise(n), {True: [], False: []}
    images = Images(pixels[: n // 2], np.zeros(n // 2, np.int64), np.arange(n // 2).astype(str))

    def progress(step: int, total: int, loss: float | None = None) -> None:
        stamps[loss is None].append(time.perf_counter())

    detector = binary.build(epochs=1, batch=BATCH, resize=side, crop=side, **options)
    detector.fit(images, outliers=pixels[n // 2 :], backbone=backbone, progress=progress)
    views = 32 / min(np.diff(stamps[True])) if stamps[True] else 0.0
    return BATCH / min(np.diff(stamps[False])), views


def ours_embed(backbone: Path, side: int) -> float:
    detector, stamps = frozen.build(resize=side, crop=side), []
    detector.fit(None, backbone=backbone)
    detector.embed(noise(5 * EMBED), progress=lambda *_: stamps.append(time.perf_counter()))
    return EMBED / min(np.diff(stamps))


def measure() -> list[Row]:
    """Rows of name, value, unit, yardstick."""
    keep_freed_memory()  # as every job does
    a, b = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE)
    rows, none = [], float("nan")
    for name, (model, sides, arguments) in NETWORKS.items():
        for side in sides:
            torch.manual_seed(0)
            plan = {"model": model, "kwargs": arguments(side)}
            found = {}  # what: images/s, those of the yardstick, forward passes that count
            with tempfile.TemporaryDirectory() as folder:
                file, net = Path(folder, "backbone.safetensors"), create(plan)
                save_backbone(file, net, describe(net, *plan.values(), 0.5, 0.5))
                product = quickest(lambda: a @ b)
                train, embed = plain(net, side)
                for what, options in TRAININGS.items():
                    trained, viewed = ours_train(file, side, **options)
                    found[f"training, {what}"] = trained, none if options else train, 3
                found["computing views"] = viewed, none, 0
                found["embedding"] = ours_embed(file, side), embed, 1
            product = min(product, quickest(lambda: a @ b))
            shape = 1, 3, side, side
            unit = forward_flops(lambda: create(plan), shape).flops * product / (2 * SIDE**3)  # noqa: B023
            for what, (images, other, passes) in found.items():
                label = f"{name}, {side} px, {what}"
                if passes:
                    values = images * passes * unit, "model rate", other * passes * unit
                    rows.append((label, *values))
                rows.append((label, images, "images/s", other))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    torch.set_num_threads(parser.parse_args().threads)
    print("name,value,unit,yardstick")
    for name, value, unit, yardstick in measure():
        print(f'"{name}",{value:.3g},{unit},{yardstick:.3g}')


if __name__ == "__main__":
    main()
