"""What a job asks for: threads, memory, time, a GPU. Generous guesses; profiles set the limits."""

import shutil
from typing import Any

from nearnd.plan.run import Run


def size(config: dict[str, Any], dataset: str | None) -> int:
    """Pixels along a side; of a detector that no dataset trains, those of the smallest."""
    spec = config["datasets"].get(dataset, {})
    like = spec.get("of") or spec.get("dataset")  # a changed copy, or fakes of it
    return size(config, like) if like else spec.get("size", 8)


def threads(run: Run, dataset: str | None) -> int:
    """In how many threads a job computes: a number of the image size alone, because the result
    depends on it. More leave cores idle where images are small, so that tasks run beside each
    other instead. On fewer cores the threads take turns.

    dataset: None where nothing is trained."""
    side = size(run.config, dataset)
    return 1 if side <= 32 else 2 if side <= 64 else 4


def backbone_threads(run: Run, backbone: str) -> int:
    """Of one that is trained two at least: all other jobs wait for it."""
    dataset = run.config["backbones"][backbone].get("dataset")
    return max(2, threads(run, dataset)) if dataset else 1


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
