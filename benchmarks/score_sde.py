"""How fast the score network trains and samples, as a share of what the machine's matrix units do.

    python benchmarks/score_sde.py [--rounds 5] [--threads 2]

The model rate is 3 x the forward FLOPs x images/s of a whole training step (1 x for the network in
sampling), divided by the rate of a 2048^3 product of float32 matrices measured in the same run. The
yardstick is what the public PyTorch implementation reached on two cores. Matrix product and network
take turns, `rounds` times, and the best of each is shown.
"""

from __future__ import annotations

import argparse
import time

import torch

from nearnd.generators._loss import denoising_loss
from nearnd.generators._precision import in_precision
from nearnd.generators._sde import VE
from nearnd.jobs.malloc import keep_freed_memory
from nearnd.networks.flops import unet
from nearnd.networks.unet import UNet

CPU = torch.device("cpu")
SMALL = {"size": 32, "channels": 3, "nf": 32, "channel_mult": (1, 2, 2), "blocks": 1}
LARGE = {"size": 32, "channels": 3, "nf": 64, "channel_mult": (1, 2, 2, 2), "blocks": 2}
DIGITS = {"size": 8, "channels": 1, "nf": 32, "channel_mult": (1, 2), "blocks": 1}
CASES = {  # name: network, batch, model rates of the public implementation
    "32 px, nf 32": (SMALL, 64, (0.20, 0.30)),
    "32 px, nf 64": (LARGE, 32, (0.40, 0.63)),
    "8 px, nf 32": (DIGITS, 64, (0.36, 0.70)),
}
SIDE = 2048


def seconds(function, times: int = 2) -> float:
    began = time.perf_counter()
    for _ in range(times):
        function()
    return (time.perf_counter() - began) / times


def steps(network: dict, batch: int, precision: str):
    """A training step and a call in sampling, as functions without arguments."""
    torch.manual_seed(0)
    net, sde = UNet(**network).train(), VE()
    weights = [p for p in net.parameters() if p.requires_grad]
    average = [p.detach().clone() for p in weights]
    optimizer = torch.optim.Adam(weights, 2e-4, fused=True)
    run = in_precision(net, CPU, precision)
    x = torch.rand(batch, network["channels"], network["size"], network["size"])

    def train() -> None:
        t, z = torch.rand(batch), torch.randn_like(x)
        optimizer.zero_grad()
        score = lambda x, t: sde.score(run(x, sde.level(t)), t)  # noqa: E731
        denoising_loss(score, sde, x, t, z, mean=False).backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        torch._foreach_lerp_(average, [p.detach() for p in weights], 0.001)

    sampled = UNet(**network).eval()
    draw = in_precision(sampled, CPU, precision)

    def sample() -> None:
        with torch.inference_mode():
            draw(x, torch.ones(1))

    return train, sample


def measure(rounds: int, precisions: tuple[str, ...]) -> list[tuple[str, float, str, float]]:
    """Rows of name, value, unit, yardstick."""
    keep_freed_memory()  # as every job does
    a, b, rows = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE), []
    for name, (network, batch, published) in CASES.items():
        flops = unet(network).flops
        for precision in precisions:
            jobs = [lambda: a @ b, *steps(network, batch, precision)]
            for job in jobs:
                seconds(job)  # warm
            best = [min(r) for r in zip(*([seconds(j) for j in jobs] for _ in range(rounds)))]  # noqa: B905
            machine = 2 * SIDE**3 / best[0]
            for what, factor, took, yardstick in (
                ("training", 3, best[1], published[0]),
                ("forward", 1, best[2], published[1]),
            ):
                label = f"{name}, batch {batch}, {precision}, {what}"
                rows.append(
                    (label, factor * flops * batch / took / machine, "model rate", yardstick)
                )
                rows.append((label, batch / took, "images/s", float("nan")))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print("name,value,unit,yardstick")
    for name, value, unit, yardstick in measure(args.rounds, ("auto", "fp32")):
        print(f'"{name}",{value:.3g},{unit},{yardstick:.3g}')


if __name__ == "__main__":
    main()
