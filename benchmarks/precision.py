"""Whether training in bfloat16 follows training in float32: the loss of both, step for step.

    python benchmarks/precision.py [--steps 200] [--images array.npy]

The same network (32 px, nf 32 of score_sde.py), images, noise and seeds. Images are the first 512
of an array uint8 (N, 32, 32, 3), or without one smooth random fields. Prints the mean loss of each
tenth of the training, their ratio, and the spread of a single step's loss, for comparison.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from score_sde import SMALL

from nearnd.generators import score_sde
from nearnd.jobs.malloc import keep_freed_memory

BATCH = 64


def fields(n: int = 512) -> np.ndarray:
    """Smooth random images, uint8 (n, 32, 32, 3)."""
    noise = torch.randn(n, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    x = F.interpolate(noise, size=32, mode="bicubic").sigmoid()  # (n, 3, 32, 32)
    return (255 * x).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()


def losses(pixels: np.ndarray, steps: int, precision: str) -> np.ndarray:
    """The loss at each step, (steps,)."""
    network = {key: SMALL[key] for key in ("nf", "channel_mult", "blocks")}
    generator = score_sde.build(
        **network, sigma_max="data", batch=BATCH, lr=1e-3, warmup=20, dropout=0.0, steps=steps,
        snapshots=[steps], precision=precision,
    )  # fmt: skip
    found = np.zeros(steps)

    def progress(step: int, total: int, loss: float = 0.0) -> None:
        found[step - 1] = loss

    with tempfile.TemporaryDirectory() as folder:
        generator.train(
            pixels, seed=0, folder=Path(folder), monitor=lambda *_: False, progress=progress
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--images", type=Path)
    args = parser.parse_args()
    keep_freed_memory()
    pixels = np.load(args.images, mmap_mode="r")[:512] if args.images else fields()
    exact, short = (losses(pixels, args.steps, precision) for precision in ("fp32", "bf16"))
    print("steps      fp32      bf16   bf16/fp32   largest difference of a step")
    for part in np.array_split(np.arange(args.steps), 10):
        a, b = exact[part].mean(), short[part].mean()
        worst = np.abs(short[part] / exact[part] - 1).max()
        print(f"{part[0]:4d}-{part[-1]:4d} {a:9.4g} {b:9.4g} {b / a:9.4f} {worst:12.2%}")


if __name__ == "__main__":
    main()
