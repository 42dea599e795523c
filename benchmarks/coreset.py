"""How long PatchCore's coreset takes, and in how much memory.

    python benchmarks/coreset.py [--rows 100000] [--width 1024] [--share 0.01] [--rounds 3]

Made-up patches. A step of greedy k-centre has to read the projected rows once, M x 128 floats; the
yardstick of the time is so many sums over such an array (the floor of any exact method that looks
at all rows in a step), that of the memory the size of the patches themselves. The peak is that of
a fresh process that makes the patches and thins them (VmHWM).
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
import time
from pathlib import Path

import numpy as np
import torch

from nearnd.networks.coreset import coreset, share_of

PROJECTION = 128


def patches(rows: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((rows, width), np.float32)


def ours(x: np.ndarray, share: float) -> float:
    began = time.perf_counter()
    coreset(x, share_of(len(x), share), seed=0, projection=PROJECTION)
    return time.perf_counter() - began


def floor(rows: int, share: float) -> float:
    x = torch.ones(rows, PROJECTION)
    began = time.perf_counter()
    for _ in range(share_of(rows, share)):
        x.sum()
    return time.perf_counter() - began


def alone(rows: int, width: int, share: float, pipe) -> None:
    """Sends the peak memory of this process in MB."""
    coreset(patches(rows, width), share_of(rows, share), seed=0, projection=PROJECTION)
    status = Path("/proc/self/status").read_text()
    pipe.send(int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024)


def peak(rows: int, width: int, share: float) -> float:
    context = multiprocessing.get_context("spawn")
    ours_end, theirs = context.Pipe()
    process = context.Process(target=alone, args=(rows, width, share, theirs))
    process.start()
    theirs.close()
    found = ours_end.recv()
    process.join()
    return found


def measure(
    rounds: int, rows: int = 100_000, width: int = 1024, share: float = 0.01
) -> list[tuple[str, float, str, float]]:
    """Rows of name, value, unit, yardstick."""
    x, times = patches(rows, width), []
    for _ in range(rounds):
        times.append((ours(x, share), floor(rows, share)))
    best = np.min(times, axis=0)
    what = f"coreset, {rows} x {width}, {100 * share:g} %"
    found = [(f"{what}, time", best[0], "s", best[1])]
    if Path("/proc/self/status").exists():
        found.append((f"{what}, peak memory", peak(rows, width, share), "MB", x.nbytes / 2**20))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("rows", 100_000), ("width", 1024), ("share", 0.01), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=type(default), default=default)
    args = parser.parse_args()
    print(f"{'name':50}{'value':>10} {'unit':8}{'yardstick':>10}")
    for name, value, unit, yardstick in measure(args.rounds, args.rows, args.width, args.share):
        print(f"{name:50}{value:10.3g} {unit:8}{yardstick:10.3g}")


if __name__ == "__main__":
    main()
