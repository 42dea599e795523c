"""Equal images: generated ones that copy a training image, test images that are training images."""

import hashlib
import logging

import numpy as np

from nearnd.contracts import Images
from nearnd.files.arrays import release
from nearnd.jobs.neighbours import nearest

CHUNK = 1 << 24  # bytes that are read between two releases of memory
LISTED = 10  # pairs that the log names

log = logging.getLogger("nearnd")


def share(fakes: np.ndarray, training: np.ndarray, ratio: float = 0.5) -> float:
    """The share of fakes (n, H, W, C) that copy a training image (N, H, W, C).

    A fake is a copy if it is nearer to a training image than `ratio` times the distance from that
    image to its own nearest neighbour among the training images, in pixels. A set drawn from the
    same law as the training set has few of them; a generator that memorises has many.
    """
    if len(training) < 2:
        return float("nan")
    x = training.reshape(len(training), -1)  # (N, D)
    radius = nearest(x, x, 2)[0][:, 1]  # (N,) squared; the first of the two is the image itself
    squared, index = nearest(x, fakes.reshape(len(fakes), -1), 1)  # (n, 1)
    return float((squared < ratio**2 * radius[index]).mean())


def repeats(train: np.ndarray, test: np.ndarray) -> list[tuple[int, int]]:
    """(i, j) for each test image j (M, H, W, C) that equals a training image, the first such i."""
    where: dict[bytes, int] = {}
    for i, digest in enumerate(_digests(train)):
        where.setdefault(digest, i)
    return [(where[digest], j) for j, digest in enumerate(_digests(test)) if digest in where]


def warn_of_repeats(train: Images, test: Images, classes: list[str]) -> None:
    """Names the repeats in the log. They are kept: to take them out would be another split."""
    pairs = repeats(train.pixels, test.pixels)
    if pairs:
        lines = [
            f"{test.ids[j]} ({classes[test.labels[j]]}) is {train.ids[i]}"
            f" ({classes[train.labels[i]]})"
            for i, j in pairs[:LISTED]
        ]
        more = f"\n  and {len(pairs) - LISTED} more" if len(pairs) > LISTED else ""
        log.warning(
            f"{len(pairs)} of {len(test)} test images are training images too, as stored here;"
            " they stay where the split has them. Where there are copies there are near-copies too"
            " (bursts, videos, overlapping crops), which make a test look better than it is; keep"
            " them on one side (`group`, or folders train and test):\n  "
            + "\n  ".join(lines)
            + more
        )


def _digests(pixels: np.ndarray):
    rows = max(1, CHUNK // max(1, pixels[:1].nbytes))
    for i in range(len(pixels)):
        yield hashlib.blake2b(np.ascontiguousarray(pixels[i]), digest_size=16).digest()
        if i % rows == 0:
            release(pixels)
