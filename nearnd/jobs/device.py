"""Which processor a job computes on, and in which precision. The code is the same for all."""

import os

import torch


def device() -> torch.device:
    """The device of this job: NEARND_DEVICE if set ("cpu", "cuda", "cuda:1"), else a GPU if any."""
    name, gpus = os.environ.get("NEARND_DEVICE", "auto"), torch.cuda.device_count()
    here = ["cpu", *(["cuda"] if gpus else []), *(f"cuda:{i}" for i in range(gpus))]
    if name == "auto":
        name = "cuda" if gpus else "cpu"
    if name not in here:
        raise ValueError(
            f"NEARND_DEVICE (or device in the config) is {name!r}; on this machine it may be auto"
            f" or {', '.join(here)}"
        )
    return torch.device(name)
