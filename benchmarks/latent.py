"""How fast generators on latent variables train and draw, as a share of what matrix products do.

    python benchmarks/latent.py [--rounds 3] [--threads 1]

The model rate is the FLOPs of an image of a step that a kind states (`work`: forward passes of the
network that draws) x images/s of whole steps, divided by the rate of a 2048^3 product of float32
matrices in the same run; they take turns, and the best of each is shown. Memory is the peak of a
process of its own that does nothing else. The networks are for 32 pixels in colour.
"""

import argparse
import multiprocessing
import resource

import numpy as np
import torch
from score_sde import SIDE, seconds

from nearnd import plugins
from nearnd.contracts import About
from nearnd.jobs.malloc import keep_freed_memory

CASES = {
    "vae": {"widths": [32, 64, 128], "norm": True, "code": 64, "batch": 64},
    "gan": {"nf": 32, "code": 64, "batch": 64},
    "biggan": {"nf": 16, "code": 64, "batch": 64, "turns": 1},
}


def jobs(kind: str, arguments: dict):
    """A step of the training and 64 images drawn, as functions; and what `work` states."""
    model = plugins.build("generators", {"kind": kind, **arguments})
    torch.manual_seed(0)
    network = model.network(32, 3)
    images = torch.rand(model.batch, 3, 32, 32) * 2 - 1
    training = model.training(network, lambda k: images, torch.device("cpu"))
    net = model.bare(**network).eval()
    z = torch.randn(64, net.latent)

    def draw() -> None:
        with torch.inference_mode():
            net(z)

    whole = plugins.defaults("generators", kind) | arguments
    work = plugins.call(
        "generators", {"kind": kind, "about": About(side=32, channels=3), **whole}, "work"
    )
    return lambda: training.step(0), draw, work


def measure(kind: str, arguments: dict, rounds: int, threads: int, put) -> None:
    """Puts rows of name, value, unit."""
    torch.set_num_threads(threads)
    keep_freed_memory()  # as every job does
    a, b = np.random.default_rng(0).normal(size=(2, SIDE, SIDE)).astype(np.float32)
    a, b = torch.from_numpy(a), torch.from_numpy(b)
    step, draw, work = jobs(kind, arguments)
    three = (lambda: a @ b, step, draw)
    for one in three:
        seconds(one, 1)  # warm
    best = [min(r) for r in zip(*([seconds(j) for j in three] for _ in range(rounds)))]  # noqa: B905
    machine, flops = 2 * SIDE**3 / best[0], work["network"].flops
    batch = arguments["batch"]
    name = f"{kind}, 32 px, batch {batch}"
    for what, factor, images, took in (
        ("training", work["passes"], batch, best[1]),
        ("drawing", 1, 64, best[2]),
    ):
        rate = factor * flops * images / took / machine
        put((f"{name}, {what}", rate, "model rate"))
        put((f"{name}, {what}", images / took, "images/s"))
    put((name, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10, "MiB at most"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    context = multiprocessing.get_context("spawn")  # a fresh process: its own peak of memory
    print("name,value,unit")
    for kind, arguments in CASES.items():
        rows = context.SimpleQueue()
        given = (kind, arguments, args.rounds, args.threads, rows.put)
        process = context.Process(target=measure, args=given)
        process.start()
        process.join()
        while not rows.empty():
            name, value, unit = rows.get()
            print(f'"{name}",{value:.3g},{unit}')


if __name__ == "__main__":
    main()
