"""How many threads a job computes in: part of what it gives, never of the machine it runs on."""

import os
import sys

from threadpoolctl import threadpool_limits

CORES = "NEARND_CORES"  # read where the result does not depend on threads: files/decode.py


def set_threads(computing: int, cores: int) -> None:
    """Sums are rounded differently in another number of threads, and a training carries that on.

    computing  threads of torch, also where there are fewer cores; numpy and scipy, whose BLAS
               would stop at the cores, multiply in one
    cores      those that this job was given
    """
    one, several = "1", str(computing)
    os.environ |= {
        "OMP_NUM_THREADS": several, "MKL_NUM_THREADS": several,
        # else there are no more of them than cores, or fewer while others work
        "MKL_DYNAMIC": "FALSE", "OMP_DYNAMIC": "FALSE",
        "OPENBLAS_NUM_THREADS": one, "VECLIB_MAXIMUM_THREADS": one, CORES: str(cores),
    }  # fmt: skip
    threadpool_limits({"blas": 1, "openmp": computing})  # of what is loaded already
    if torch := sys.modules.get("torch"):  # of a job that started warm (plan/warm.py)
        torch.set_num_threads(computing)
