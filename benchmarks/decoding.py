"""How fast image files are decoded and stored, and in how much memory.

    python benchmarks/decoding.py [--images 2000] [--rounds 3] [--threads 2]

Made-up photographs as JPEG, to squares on disk. The yardstick of a rate is a plain loop over PIL
(open, convert, resize) in one thread; the yardstick of the memory is the size of what is stored.
Rows are measured in turn, `rounds` times, and the best of each is shown.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import tempfile
import time
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from nearnd.files import decode, tables

SETS = [  # width, height, side of the square, share of the images
    (300, 200, 256, 1.0),
    (1200, 900, 224, 0.05),
    (1200, 900, 64, 0.05),
]


def photographs(folder: Path, n: int, width: int, height: int) -> list[Path]:
    """Smooth colours with grain, 90 % quality; 32 different ones."""
    files = []
    for i in range(n):
        file = folder / f"{width}_{i:05d}.jpg"
        if i < 32:
            rng = np.random.default_rng(i)
            blobs = Image.fromarray(rng.integers(0, 256, (8, 12, 3), np.uint8))
            smooth = np.asarray(blobs.resize((width, height), Image.Resampling.BICUBIC))
            grain = rng.normal(0, 8, (height, width, 3))
            picture = (smooth + grain).clip(0, 255).astype(np.uint8)
            Image.fromarray(picture).save(file, quality=90)
        else:
            file.write_bytes(files[i % 32].read_bytes())
        files.append(file)
    return files


def plain(files: list[Path], size: int) -> float:
    began = time.perf_counter()
    for file in files:
        with Image.open(BytesIO(file.read_bytes())) as image:
            np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR))
    return len(files) / (time.perf_counter() - began)


def ours(files: list[Path], size: int) -> float:
    began = time.perf_counter()
    decode.decode([(file.name, file) for file in files], size, "RGB")
    return len(files) / (time.perf_counter() - began)


def memory(files: list[Path], size: int, folder: Path) -> tuple[float, float]:
    """MiB that the process grew by while it decoded and stored the files, and their size there."""

    def peak() -> float:  # not ru_maxrss, which a new process inherits
        status = Path("/proc/self/status").read_text()
        return int(re.search(r"VmHWM:\s*(\d+)", status)[1]) / 1024

    decode.decode([("first", files[0])], size, "RGB")
    before = peak()
    rows = [(file.name, 0, file) for file in files]
    tables.save_images(folder, "train", decode.decode_splits({"train": rows}, size)["train"], ["x"])
    return peak() - before, (folder / "train.npy").stat().st_size / 2**20


def measure(images: int, rounds: int) -> list[tuple[str, float, str, float]]:
    """Rows of name, value, unit, yardstick."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        sets = [
            (
                photographs(folder, max(32, round(share * images)), width, height),
                width,
                height,
                side,
            )
            for width, height, side, share in SETS
        ]
        with multiprocessing.get_context("spawn").Pool(1) as fresh:  # a peak does not go down
            grown, stored = fresh.apply(memory, (sets[0][0], sets[0][3], folder))
        best = [[0.0, 0.0] for _ in sets]
        for _ in range(rounds):
            for (files, _, _, side), row in zip(sets, best, strict=True):
                row[0] = max(row[0], ours(files, side))
                row[1] = max(row[1], plain(files, side))
        rates = [
            (f"decode, {width}x{height} to {side}", ours, "images/s", yardstick)
            for (_, width, height, side), (ours, yardstick) in zip(sets, best, strict=True)
        ]
        return [*rates, (f"memory to decode and store {images} images", grown, "MiB", stored)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("images", 2000), ("rounds", 3), ("threads", os.cpu_count() or 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    os.environ["NEARND_CORES"] = str(args.threads)
    print(f"{'name':44}{'value':>10} {'unit':10}{'yardstick':>10}  ({args.threads} threads)")
    for name, value, unit, yardstick in measure(args.images, args.rounds):
        print(f"{name:44}{value:10.1f} {unit:10}{yardstick:10.1f}")


if __name__ == "__main__":
    main()
