"""Images of noise: the far end of the external sets on which classifiers are tested.

Three kinds, after the evaluation code of Hendrycks et al., "Deep Anomaly Detection with Outlier
Exposure", 2019, whose classifiers SURV uses. That code gives the values, in [-1, 1], to the network
in place of normalised pixels; here they are images, -1 black and 1 white.
"""

from typing import Literal

import numpy as np

from nearnd.contracts import Images, Mode
from nearnd.datasets._reader import reader

CLASSES = ["noise"]
PATTERNS = ("gaussian", "rademacher", "blobs")


def count(of, *, n: int, mode: str, **rest) -> dict[str, int]:
    """See contracts.py."""
    return {"train": n, "test": n, "channels": 3 if mode == "RGB" else 1}


def draw(pattern: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Noise in [-1, 1] of shape (N, H, W, C).

    gaussian: standard deviation 0.5, cut at -1 and 1. rademacher: each value -1 or 1. blobs: white
    with probability 0.7, blurred by 1.5 pixels, colours too, and black where then below 3/4.
    """
    if pattern == "gaussian":
        return rng.normal(scale=0.5, size=shape).clip(-1, 1)
    if pattern == "rademacher":
        return 2.0 * rng.integers(0, 2, shape) - 1
    from scipy.ndimage import gaussian_filter

    white = (rng.random(shape) < 0.7).astype(np.float32)
    blurred = gaussian_filter(white, (0, 1.5, 1.5, 1.5), mode="nearest")
    return 2 * np.where(blurred < 0.75, 0, blurred) - 1


@reader
def build(
    archives,
    /,
    pattern: Literal["gaussian", "rademacher", "blobs"] = "gaussian",
    size: int = 32,
    mode: Mode = "RGB",
    n: int = 2000,  # a fifth of CIFAR's test images, as in that code
    noise_seed: int = 0,
):
    """`n` training and `n` test images of noise, uint8 (n, size, size, C), C by `mode`, RGB or L.

    `pattern`: gaussian, rademacher or blobs.
    """
    for what, value, known in (("pattern", pattern, PATTERNS), ("mode", mode, ("RGB", "L"))):
        if value not in known:
            raise ValueError(f"noise: {what} is {value!r}, it must be one of {', '.join(known)}")
    shape = (n, size, size, 3 if mode == "RGB" else 1)
    splits = {}
    for i, split in enumerate(("train", "test")):
        x = draw(pattern, shape, np.random.default_rng([noise_seed, i]))
        pixels = np.round(127.5 * (x + 1)).astype(np.uint8)  # (N, H, W, C)
        ids = np.array([f"{split}/{j:05d}" for j in range(n)])
        splits[split] = Images(pixels, np.zeros(n, np.int64), ids)
    return splits, CLASSES
