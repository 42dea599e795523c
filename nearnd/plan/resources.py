"""What a job asks for: threads, memory, time, a GPU. Generous guesses; profiles set the limits."""

import shutil
from functools import cache
from typing import Any

from nearnd.plan.run import Run


def size(config: dict[str, Any], dataset: str) -> int:
    """Pixels along a side; of a detector that no dataset trains, those of the smallest."""
    spec = config["datasets"].get(dataset, {})
    return size(config, spec["of"]) if "of" in spec else spec.get("size", 8)


def threads(run: Run, dataset: str) -> int:
    """Small images leave cores idle, so that tasks run beside each other instead: always up to 16
    pixels, and up to 64 where this machine has fewer cores than the run has tasks. Larger ones
    would not fit into memory so."""
    side = size(run.config, dataset)
    if side > 64:
        return 4
    return 1 if side <= 16 else max(1, min(4, cores_for_each(run, dataset)))


@cache
def cores_for_each(run: Run, dataset: str) -> int:
    """Cores of this machine for each task of a dataset, 4 on a cluster."""
    tasks = {
        (task["normal"], task["seed"])
        for name in run.experiments
        for task in run.tasks(name)
        if task["dataset"] == dataset
    }
    return 4 if run.cores is None else run.cores // max(1, len(tasks))


def memory(run: Run, dataset: str, attempt: int = 1) -> int:
    """Megabytes to ask a cluster for; twice as many after a failure, which may be due to memory."""
    return min(attempt, 2) * (4000 if size(run.config, dataset) <= 64 else 16000)


def runtime(run: Run, dataset: str, steps: int | None = 0) -> int:
    """Minutes to ask a cluster for. A training that reaches the limit saves its state, and the next
    attempt goes on from there.

    steps: of a training; None: not known, so as many minutes as may be."""
    side, longest = size(run.config, dataset), 24 * 60
    if steps is None:
        return longest
    return min(longest, (60 if side <= 16 else 240) + steps * side**2 // 100_000)


def gpus(device: str) -> int:
    """1 where jobs compute on a GPU, so that the profile's limit keeps them apart."""
    seen = device == "auto" and shutil.which("nvidia-smi")
    return int(device.startswith("cuda") or bool(seen))
