"""How fast ViT-B/16 at 224 px trains and embeds through this package, in images per second.

    python benchmarks/vit.py [--steps 3] [--rounds 3] [--threads 2]

Untrained weights, random images. Rows: a plain timm loop in float32 and under bfloat16 autocast
(the yardsticks), and the detectors `binary` and `frozen` in each precision. The rows are measured
in turn, `rounds` times, and the best of each is shown, so that a machine that is busy for a while
slows all of them alike. Ratios are to the first row.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import timm
import torch
from torch.nn import functional as F

from nearnd.contracts import Images
from nearnd.detectors import binary, frozen
from nearnd.jobs.device import device
from nearnd.jobs.malloc import keep_freed_memory
from nearnd.networks.backbone import Classifier, create, describe, save_backbone

MODEL, BATCH = "vit_base_patch16_224", 16
PLAIN = {"plain timm, fp32": torch.float32, "plain timm, bf16 autocast": torch.bfloat16}
KINDS = ("fp32", "bf16", "auto")


def rate(stamps: list[float], images: int) -> float:
    """Images per second between the first stamp, which warms up, and the last."""
    wait()
    return images * (len(stamps) - 1) / (stamps[-1] - stamps[0])


def wait() -> None:
    if device().type == "cuda":
        torch.cuda.synchronize()


def plain_train(kind: torch.dtype, steps: int) -> float:
    """The recipe in a loop as one would write it: timm's dropout, autocast, SGD."""
    net = Classifier(timm.create_model(MODEL, num_classes=0, pos_drop_rate=0.1), 2)
    net = net.to(device()).train()
    binary.freeze(net.backbone, 0.5, False)
    for block in net.backbone.blocks:
        block.mlp.drop1.p = block.mlp.drop2.p = 0.1
    trained = [p for p in net.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, 4e-4, weight_decay=5e-5)
    x = torch.randn(BATCH, 3, 224, 224, device=device())
    y = torch.arange(BATCH, device=device()) % 2
    stamps = []
    for _ in range(steps + 1):
        with torch.autocast(device().type, torch.bfloat16, enabled=kind == torch.bfloat16):
            logits = net(x)
        optimizer.zero_grad()
        F.cross_entropy(logits.float(), y).backward()
        optimizer.step()
        wait()
        stamps.append(time.perf_counter())
    return rate(stamps, BATCH)


def plain_embed(kind: torch.dtype, steps: int) -> float:
    model = timm.create_model(MODEL, num_classes=0).to(device()).eval()
    x = torch.randn(64, 3, 224, 224, device=device())
    stamps = []
    with (
        torch.inference_mode(),
        torch.autocast(device().type, torch.bfloat16, enabled=kind == torch.bfloat16),
    ):
        for _ in range(steps + 1):
            model.forward_features(x)[:, 0].float().cpu()
            stamps.append(time.perf_counter())
    return rate(stamps, 64)


def our_train(backbone: Path, kind: str, stem: bool, steps: int) -> float:
    n = BATCH * (steps + 1) // 2
    pixels = np.random.default_rng(0).integers(0, 256, (2 * n, 32, 32, 3), np.uint8)
    images = Images(pixels[:n], np.zeros(n, np.int64), np.arange(n).astype(str))
    stamps: list[float] = []

    def progress(step: int, total: int, **values) -> None:
        stamps.append(time.perf_counter())

    detector = binary.build(epochs=1, batch=BATCH, freeze_stem=stem, precision=kind)
    detector.fit(
        images, outliers=pixels[n:], backbone=backbone, seed=0, folder=None, progress=progress
    )
    return rate(stamps[: steps + 1], BATCH)


def our_embed(backbone: Path, kind: str, steps: int) -> float:
    pixels = np.random.default_rng(0).integers(0, 256, (64 * (steps + 1), 32, 32, 3), np.uint8)
    detector = frozen.build(precision=kind)
    detector.fit(None, backbone=backbone)
    stamps: list[float] = []
    detector.embed(pixels, progress=lambda *_: stamps.append(time.perf_counter()))
    return rate(stamps, 64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("steps", 3), ("rounds", 3), ("threads", torch.get_num_threads())):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    keep_freed_memory()  # as every job does
    with tempfile.TemporaryDirectory() as folder:
        backbone = Path(folder) / "backbone.safetensors"
        model = create({"model": MODEL, "kwargs": {}})
        save_backbone(backbone, model, describe(model, MODEL, {}, 0.5, 0.5, resize=256))
        jobs = {("train", name): (plain_train, kind) for name, kind in PLAIN.items()}
        jobs |= {("embed", name): (plain_embed, kind) for name, kind in PLAIN.items()}
        for kind in KINDS:
            jobs["train", f"nearnd, {kind}"] = (our_train, backbone, kind, False)
            jobs["train, stem frozen", f"nearnd, {kind}"] = (our_train, backbone, kind, True)
            jobs["embed", f"nearnd, {kind}"] = (our_embed, backbone, kind)
        best: dict[tuple[str, str], float] = dict.fromkeys(jobs, 0.0)
        for _ in range(args.rounds):
            for key, (function, *arguments) in jobs.items():
                best[key] = max(best[key], function(*arguments, args.steps))
    print(f"{MODEL}, batch {BATCH}, {device()}, {args.threads} threads, torch {torch.__version__}")
    tasks, rows = ("train", "train, stem frozen", "embed"), dict.fromkeys(r for _, r in jobs)
    print(" " * 28 + "".join(f"{task:>24}" for task in tasks))
    for row in rows:
        line = f"{row:28}"
        for task in tasks:
            first = best["train" if task.startswith("train") else task, "plain timm, fp32"]
            cell = best.get((task, row))
            line += f"{f'{cell:.2f} img/s ({cell / first:.2f}x)':>24}" if cell else " " * 24
        print(line)


if __name__ == "__main__":
    main()
