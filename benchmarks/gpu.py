"""The CIFAR-10 NCSN++ on one CUDA GPU: images/s, share of the peak, memory, against plain float32.

    python benchmarks/gpu.py [--batches 128 256 512] [--steps 20]

Prepared, not run yet: no CUDA machine was at hand. The network is the published one of 62.8 million
parameters (ve/cifar10_ncsnpp_continuous); a step is the loss, its gradient, clipping, Adam and the
average of the weights. Rows: plain float32, eager and without TF32 (the yardstick); bfloat16 with
channels-last maps; the same compiled; the same compiled with CUDA graphs. FLOP utilisation is 3 x
the forward FLOPs x images/s over the rate of an 8192^3 bfloat16 product in the same run.
"""

from __future__ import annotations

import argparse

import torch

from nearnd.generators._loss import denoising_loss
from nearnd.generators._sde import VE
from nearnd.networks.flops import unet
from nearnd.networks.unet import UNet

GPU = torch.device("cuda")
NETWORK = {"size": 32, "channels": 3}  # the rest is the default: the published network
ROWS = {  # name: (bfloat16, mode of torch.compile)
    "plain float32, eager": (False, None),
    "bf16, channels-last": (True, None),
    "bf16, channels-last, compiled": (True, "default"),
    "bf16, channels-last, compiled, CUDA graphs": (True, "reduce-overhead"),
}
SIDE = 8192


def seconds(function, times: int) -> float:
    """Of one call, on the GPU's clock."""
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    first.record()
    for _ in range(times):
        function()
    last.record()
    torch.cuda.synchronize()
    return first.elapsed_time(last) / 1000 / times


def steps(half: bool, mode: str | None, batch: int):
    """A training step and a call in sampling, as functions without arguments."""
    torch.manual_seed(0)
    layout = torch.channels_last if half else torch.contiguous_format
    net, sde = UNet(**NETWORK).to(GPU, memory_format=layout).train(), VE()
    weights = [p for p in net.parameters() if p.requires_grad]
    average = [p.detach().clone() for p in weights]
    optimizer = torch.optim.Adam(weights, 2e-4, fused=True)
    x = torch.rand(batch, 3, 32, 32, device=GPU).contiguous(memory_format=layout)
    run = net if mode is None else torch.compile(net, mode=mode)
    cast = torch.autocast("cuda", torch.bfloat16, enabled=half)

    def score(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        with cast:
            return sde.score(run(x, sde.level(t)), t)

    def train() -> None:
        net.train()
        t, z = torch.rand(batch, device=GPU), torch.randn_like(x)
        optimizer.zero_grad()
        denoising_loss(score, sde, x, t, z, mean=False).backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        torch._foreach_lerp_(average, [p.detach() for p in weights], 0.001)

    def sample() -> None:
        net.eval()
        with torch.no_grad():
            score(x, torch.ones(batch, device=GPU))

    return train, sample


def measure(batch: int, times: int, peak: float) -> None:
    flops = unet(dict(NETWORK, nf=128, channel_mult=(1, 2, 2, 2), blocks=4)).flops
    first = {}
    for name, (half, mode) in ROWS.items():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        try:
            for what, factor, job in zip(
                ("training", "sampling"), (3, 1), steps(half, mode, batch), strict=True
            ):
                seconds(job, 3)  # warm, and compiled
                rate = batch / seconds(job, times)
                first.setdefault(what, rate)
                print(
                    f"{batch:5d}  {name:44s} {what:9s} {rate:9.0f} images/s"
                    f"  {rate / first[what]:5.2f}x  {factor * flops * rate / peak:6.1%} of the peak"
                    f"  {torch.cuda.max_memory_allocated() / 2**30:6.1f} GiB",
                    flush=True,
                )
        except torch.OutOfMemoryError:
            print(f"{batch:5d}  {name:44s} out of memory", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batches", type=int, nargs="+", default=[128, 256, 512])
    parser.add_argument("--steps", type=int, default=20)
    args = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("no CUDA GPU is visible: this benchmark needs one")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    a = torch.randn(SIDE, SIDE, device=GPU, dtype=torch.bfloat16)
    seconds(lambda: a @ a, 3)
    peak = 2 * SIDE**3 / seconds(lambda: a @ a, 10)
    print(
        f"{torch.cuda.get_device_name()}, torch {torch.__version__},"
        f" {peak / 1e12:.0f} TFLOP/s in bfloat16"
    )
    for batch in args.batches:
        measure(batch, args.steps, peak)


if __name__ == "__main__":
    main()
