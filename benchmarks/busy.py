"""Training beside one busy process of somebody else's, against the same machine when it is quiet.

    python benchmarks/busy.py [--seconds 8] [--rounds 2]
    python benchmarks/busy.py --default        # the whole default run instead: twice ten minutes

The letters' ViT (backbones: glyph_vit), batch 64: in a process of one thread for each core, as the
workflow trains small images, and in one process of two threads, as it trains those of 32 pixels.
Quiet and busy times take turns, and the ratio is of their sums. A busy neighbour may cost half of
the pace at most.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from nearnd.plan.start import PATIENT

ROOT = Path(__file__).parents[1]
HALF = 0.5


def spin() -> None:
    while True:
        pass


@contextmanager
def neighbour(there: bool):
    """One core's worth of other work."""
    if not there:
        yield
        return
    process = mp.get_context("spawn").Process(target=spin, daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def train(rank: int, threads: int, least: float, turns: int, barrier, done) -> None:
    """One process: counts its steps in each turn."""
    from nearnd.jobs.threads import set_threads

    set_threads(threads, threads)
    import torch
    from methods import catalog
    from torch.nn import functional as F

    from nearnd.networks.backbone import Classifier, create

    entry = catalog("backbones")["glyph_vit"]
    net = Classifier(create({"model": "vit_tiny_patch16_224", "kwargs": entry["kwargs"]}), 26)
    optimizer = torch.optim.AdamW(net.parameters(), fused=True)
    side = entry["kwargs"]["img_size"]
    x, y = torch.randn(64, 1, side, side), torch.randint(26, (64,))

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(net(x), y).backward()
        optimizer.step()

    for _ in range(5):
        step()
    for turn in range(turns):
        barrier.wait()  # the neighbour comes or goes
        barrier.wait()
        began, steps = time.perf_counter(), 0
        while time.perf_counter() - began < least:
            step()
            steps += 1
        done[rank * turns + turn] = steps / (time.perf_counter() - began)


def measure(least: float = 8.0, rounds: int = 2) -> list[tuple[str, float, str, float]]:
    """Rows of name, value, unit, yardstick."""
    os.environ.update(PATIENT)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    context, turns, rows = mp.get_context("spawn"), 2 * rounds, []
    for processes, threads in ((cores, 1), (1, 2)):
        barrier, done = context.Barrier(processes + 1), context.Array("d", processes * turns)
        given = (threads, least, turns, barrier, done)
        jobs = [context.Process(target=train, args=(rank, *given)) for rank in range(processes)]
        for job in jobs:
            job.start()
        for turn in range(turns):
            barrier.wait()
            with neighbour(turn % 2 == 1):
                time.sleep(1)  # until it runs
                barrier.wait()
                time.sleep(least)
        for job in jobs:
            job.join()
        pace = [sum(done[turn::turns]) / rounds for turn in range(turns)]
        quiet, busy = sum(pace[::2]), sum(pace[1::2])
        name = f"letters' ViT, {processes} processes of {threads} threads"
        rows.append((f"{name}, quiet", quiet, "steps/s", float("nan")))
        rows.append((f"{name}, beside a busy process", busy, "steps/s", float("nan")))
        rows.append((f"{name}, busy over quiet", busy / quiet, "times", HALF))
    return rows


def default() -> list[tuple[str, float, str, float]]:
    """The same of the whole default run."""
    minutes = []
    for busy in (False, True):
        with tempfile.TemporaryDirectory() as folder, neighbour(busy):
            command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"),
                       "--cores", "all", "--quiet", "all", "--directory", folder]  # fmt: skip
            began = time.perf_counter()
            subprocess.run(command, check=True)
            minutes.append((time.perf_counter() - began) / 60)
    quiet, busy = minutes
    return [
        ("default run, quiet", quiet, "minutes", float("nan")),
        ("default run, beside a busy process", busy, "minutes", float("nan")),
        ("default run, quiet over busy", quiet / busy, "times", HALF),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--default", action="store_true")
    args = parser.parse_args()
    print("name,value,unit,yardstick")
    for name, value, unit, yardstick in (
        default() if args.default else measure(args.seconds, args.rounds)
    ):
        print(f'"{name}",{value:.3g},{unit},{yardstick:.3g}')


if __name__ == "__main__":
    main()
