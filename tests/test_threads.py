"""What a job computes does not depend on the cores that it runs on."""

import os
import subprocess
import sys

import pytest

TRAINING = """
import hashlib, os
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:{cores}])
import numpy as np
from nearnd.jobs.threads import set_threads
set_threads({threads}, {cores})
import torch
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Conv2d(3, 32, 3), torch.nn.GroupNorm(8, 32), torch.nn.SiLU(),
                          torch.nn.Flatten(), torch.nn.Linear(32 * 30 * 30, 64))
x = torch.randn(64, 3, 32, 32)
for _ in range(3):
    net(x).square().mean().backward()
x = np.random.default_rng(0).normal(size=(700, 700)).astype(np.float32)
numbers = [p.grad.numpy().tobytes() for p in net.parameters()] + [(x @ x).tobytes()]
print(torch.get_num_threads(), hashlib.sha256(b"".join(numbers)).hexdigest())
"""


def trained(threads: int, cores: int) -> str:
    """The threads and a hash of the gradients of a process that snakemake gives so many cores."""
    libraries = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    code = TRAINING.format(threads=threads, cores=cores)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env=os.environ | dict.fromkeys(libraries, str(cores)))  # fmt: skip
    return done.stdout


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be chosen here")
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="there is one core only")
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_one_core_and_two_give_the_same_bytes(threads):
    one, two = trained(threads, 1), trained(threads, 2)
    assert one.split()[0] == str(threads)
    assert one == two
