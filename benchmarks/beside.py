"""Trainings of one thread beside each other, as the workflow runs classes, against the machine.

    python benchmarks/beside.py [--seconds 8]

Model rates as in score_sde.py: the images of all processes together against a product of matrices
in as many threads. A process for each core.
"""

from __future__ import annotations

import argparse
import time

import torch
import torch.multiprocessing as mp
from score_sde import CASES, SIDE, seconds, steps

from nearnd.jobs.malloc import keep_freed_memory
from nearnd.networks.flops import unet

NAMES = ("32 px, nf 32", "32 px, nf 64")


def work(rank: int, case: str, least: float, barrier, found) -> None:
    """One process: images/s of training and forward, into found[rank]."""
    keep_freed_memory()
    torch.set_num_threads(1)
    network, batch, _ = CASES[case]
    for what, step in enumerate(steps(network, batch, "auto")):
        for _ in range(3):
            step()
        barrier.wait()  # all of them start here, so that none has the machine to itself
        began, done = time.perf_counter(), 0
        while time.perf_counter() - began < least:
            step()
            done += batch
        found[2 * rank + what] = done / (time.perf_counter() - began)
        barrier.wait()


def measure(least: float = 8.0) -> list[tuple[str, float, str, float]]:
    """Rows of name, value, unit, yardstick (the public implementation's)."""
    n, rows = torch.get_num_threads(), []
    a, b = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE)
    context = mp.get_context("spawn")
    for case in NAMES:
        machine = 2 * SIDE**3 / min(seconds(lambda: a @ b) for _ in range(5))
        barrier, found = context.Barrier(n), context.Array("d", 2 * n)
        jobs = [
            context.Process(target=work, args=(rank, case, least, barrier, found))
            for rank in range(n)
        ]
        for job in jobs:
            job.start()
        for job in jobs:
            job.join()
        network, batch, published = CASES[case]
        for what, word in enumerate(("training", "forward")):
            images = sum(found[what::2])
            rate = (3, 1)[what] * unet(network).flops * images / machine
            label = f"{case}, batch {batch}, {n} processes of one thread, {word}"
            rows.append((label, rate, "model rate", published[what]))
            rows.append((label, images, "images/s", float("nan")))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8.0)
    print("name,value,unit,yardstick")
    for name, value, unit, yardstick in measure(parser.parse_args().seconds):
        print(f'"{name}",{value:.3g},{unit},{yardstick:.3g}')


if __name__ == "__main__":
    main()
