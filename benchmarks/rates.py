"""The rates that `snakemake estimate` divides by: FLOPs per second, seconds per call, one core.

    python benchmarks/rates.py > resources/rates.csv      (the assumed GPU is added below the rest)

A call of a network with F FLOPs takes `call` + F / `rate` seconds. Small networks (below 10^9 FLOPs
an image) are slow for their size: a line through two batches of one gives their rate and the call,
a large network the other rate. Training counts 3 F for each image, as everywhere here.
"""

from __future__ import annotations

import csv
import datetime
import re
import sys
import time
from pathlib import Path

import numpy as np
import torch
from score_sde import LARGE, steps

from nearnd.networks import flops
from nearnd.networks.backbone import Classifier, create
from nearnd.networks.precision import autocast, dtype
from nearnd.networks.transform import View, view
from nearnd.scores import knn

CPU = torch.device("cpu")
DIGITS = {"size": 8, "channels": 1, "nf": 16, "channel_mult": (1, 2), "blocks": 1,
          "attention": [], "inner": "none"}  # fmt: skip
VIT = "vit_tiny_patch16_224"
GLYPHS = {"img_size": 16, "patch_size": 4, "in_chans": 1, "embed_dim": 128, "depth": 4,
          "num_heads": 4}  # fmt: skip


def seconds(function, least: float = 3.0) -> float:
    """The shortest of as many calls as fit into `least` seconds, after one that is not counted."""
    function()
    began, best = time.perf_counter(), float("inf")
    while time.perf_counter() - began < least:
        start = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - start)
    return best


def backbone_steps(plan: dict, batch: int, side: int, channels: int):
    """A training step of the whole network, and a call in embedding, from uint8 images on."""
    torch.manual_seed(0)
    net = Classifier(create(plan), 2).train()
    optimizer = torch.optim.AdamW(net.parameters(), 1e-4, fused=True)
    small = max(8, side // 7)  # images are stored small and resized in every step
    pixels = np.random.default_rng(0).integers(0, 256, (batch, small, small, channels), np.uint8)
    how = View(side, side, (0.5,) * channels, (0.5,) * channels, 2, True)
    y = torch.zeros(batch, dtype=torch.long)
    kind = dtype(net, CPU, "auto")

    def train() -> None:
        optimizer.zero_grad()
        x = view(pixels, how, random=True)
        with autocast(CPU, kind):
            logits = net(x)
        torch.nn.functional.cross_entropy(logits.float(), y).backward()
        optimizer.step()

    def embed() -> None:
        with torch.inference_mode(), autocast(CPU, kind):
            net(view(pixels, how))

    return train, embed


def line(small: tuple[float, float], large: tuple[float, float]) -> tuple[float, float]:
    """(rate, seconds of a call) from two pairs of FLOPs and seconds."""
    rate = (large[0] - small[0]) / (large[1] - small[1])
    return rate, max(0.0, small[1] - small[0] / rate)


def main() -> None:
    torch.set_num_threads(1)
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    machine = f"{cpu[1] if cpu else 'CPU'}, one core, torch {torch.__version__}"
    source = f"benchmarks/rates.py, {datetime.date.today()}"
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["name", "value", "unit", "machine", "source"])
    vit_b = "vit_base_patch16_224"
    families = {  # two batches of a small network, one of a large one
        "score": [
            (n * flops.unet(network).flops, steps(network, n, "auto"))
            for n, network in ((16, DIGITS), (128, DIGITS), (32, LARGE))
        ],
        "backbone": [
            (n * flops.backbone(model, kwargs).flops,
             backbone_steps({"model": model, "kwargs": kwargs}, n, side, channels))
            for n, model, kwargs, side, channels in (
                (16, VIT, GLYPHS, 16, 1), (128, VIT, GLYPHS, 16, 1), (16, vit_b, {}, 224, 3))
        ],
    }  # fmt: skip
    for family, cases in families.items():
        for i, (what, passes) in enumerate((("train", 3), ("run", 1))):
            *small, large = [(passes * work, seconds(jobs[i])) for work, jobs in cases]
            print(family, what, small, large, file=sys.stderr)
            rate, call = line(*small)
            for name, value, unit in (
                ("small_rate", rate, "FLOP/s"),
                ("rate", large[0] / (large[1] - call), "FLOP/s"),
                ("call", call, "s"),
            ):
                out.writerow([f"{family}_{what}_{name}", f"{value:.3g}", unit, machine, source])
    bank, queries = (np.random.default_rng(0).random((n, 768), np.float32) for n in (5000, 10000))
    took = seconds(lambda: knn.build(k=2)({"features": bank}, {"features": queries}))
    rate = 2 * 5000 * 10000 * 768 / took
    out.writerow(["distance_rate", f"{rate:.3g}", "FLOP/s", machine, source])


if __name__ == "__main__":
    main()
