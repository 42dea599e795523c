"""How fast the exact k-NN of the scores is, beside faiss.

    python benchmarks/neighbours.py [--bank 5000] [--queries 10000] [--rounds 3] [--threads 1 2]

Features as a network gives them: a few dozen strong directions, noise in the others, mean not 0.
The yardstick is faiss.IndexFlatL2 (add and search), which takes float32 products as they are;
ours computes the distances of the neighbours anew in float64. Rows are measured in turn, `rounds`
times, and the best of each is shown. Without faiss (extra `bench`) the yardstick is empty.
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np
from threadpoolctl import threadpool_limits

from nearnd.jobs.neighbours import nearest

WIDTH, K = 768, 2  # FITYMI: ViT-B/16, two neighbours


def vectors(n: int, seed: int) -> np.ndarray:
    basis = np.random.default_rng(0).normal(size=(32, WIDTH))
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, 32)) @ basis + rng.normal(size=(n, WIDTH)) + 1).astype(np.float32)


def faiss_search(bank: np.ndarray, queries: np.ndarray) -> np.ndarray:
    import faiss

    index = faiss.IndexFlatL2(bank.shape[1])
    index.add(bank)
    return index.search(queries, K)[0]


def thread_counts() -> list[int]:
    """One and two, or one where there is no second core."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return sorted({1, min(2, cores or 1)})


def has_faiss() -> bool:
    try:
        import faiss  # noqa: F401
    except ImportError:
        return False
    return True


def measure(
    rounds: int, threads: list[int], bank: int = 5000, queries: int = 10000
) -> list[tuple[str, float, str, float]]:
    """Rows of name, value, unit, yardstick."""
    b, x = vectors(bank, 1), vectors(queries, 2)
    rows = []
    for count in threads:
        jobs = [lambda: nearest(b, x, K)[0], lambda: faiss_search(b, x)][: 1 + has_faiss()]
        best = [float("nan")] * 2
        with threadpool_limits(count):
            for round in range(rounds + 1):  # the first one warms up
                for i, job in enumerate(jobs):
                    began = time.perf_counter()
                    job()
                    if round:
                        best[i] = np.fmin(best[i], time.perf_counter() - began)
        name = f"{K}-NN, bank {bank} x {WIDTH}, {queries} queries, {count} threads"
        rows.append((name, best[0], "s", best[1]))
        rows.append((f"{name}, over faiss", best[0] / best[1], "times", 1.0))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("bank", 5000), ("queries", 10000), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--threads", type=int, nargs="+", default=thread_counts())
    args = parser.parse_args()
    print(f"{'name':60}{'value':>10} {'unit':8}{'yardstick':>10}")
    for name, value, unit, yardstick in measure(args.rounds, args.threads, args.bank, args.queries):
        print(f"{name:60}{value:10.3f} {unit:8}{yardstick:10.3f}")


if __name__ == "__main__":
    main()
