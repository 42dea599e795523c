"""Which processor a job computes on, and in which precision. The code is the same for all."""

import os

import torch


def device() -> torch.device:
    """The device of this job: NEARND_DEVICE if set ("cpu", "cuda", "cuda:1"), else a GPU if any."""
    name = os.environ.get("NEARND_DEVICE", "auto")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
