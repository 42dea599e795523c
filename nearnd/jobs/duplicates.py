"""Equal images: generated ones that copy a training image, test images that are training images or
nearly are, such as the next picture of a burst."""

import hashlib
import logging

import numpy as np

from nearnd.contracts import Images
from nearnd.files.arrays import release
from nearnd.jobs.neighbours import nearest

CHUNK = 1 << 24  # bytes that are read between two releases of memory
LISTED = 10  # pairs that the log names
SIDE = 8  # of the thumbnails in which images are nearly the same
NEAR = 0.1  # times the usual distance of two training images
FEW = 0.01  # the share of near copies up to which they are no warning: scores hardly change

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


def near_copies(train: np.ndarray, test: np.ndarray) -> list[tuple[int, int]]:
    """(i, j) for each test image j (M, H, W, C) that is far nearer to a training image i than two
    training images are to each other, in grey thumbnails; equal ones are not counted."""
    if len(train) < 2 or not len(test) or min(train.shape[1:3]) < SIDE:
        return []
    bank, queries = _thumbnails(train), _thumbnails(test)  # (N, D), (M, D)
    usual = 2 * bank.var(0).sum()  # squared, on average
    squared, index = nearest(bank, queries, 1)  # (M, 1)
    close = np.flatnonzero(squared[:, 0] < NEAR**2 * usual)
    pairs = [(int(index[j, 0]), int(j)) for j in close]
    return [(i, j) for i, j in pairs if not np.array_equal(train[i], test[j])]


def warn_of_repeats(train: Images, test: Images, classes: list[str]) -> None:
    """Names the repeats in the log. They are kept: to take them out would be another split."""
    for pairs, few, word, what in (
        (repeats(train.pixels, test.pixels), 0, "is", "are training images too, as stored here"),
        (
            near_copies(train.pixels, test.pixels),
            FEW * len(test),
            "is like",
            "are nearly training images (a burst, a video, crops that overlap?), so scores may"
            " flatter; a dataset's `group`, where it has one, keeps such images on one side",
        ),
    ):
        lines = [
            f"{test.ids[j]} ({classes[test.labels[j]]}) {word} {train.ids[i]}"
            f" ({classes[train.labels[i]]})"
            for i, j in pairs[:LISTED]
        ]
        more = f"\n  and {len(pairs) - LISTED} more" if len(pairs) > LISTED else ""
        if pairs:
            log.log(
                logging.WARNING if len(pairs) > few else logging.INFO,
                f"{len(pairs)} of {len(test)} test images {what};"
                " they stay where the split has them:\n  " + "\n  ".join(lines) + more,
            )


def _thumbnails(pixels: np.ndarray) -> np.ndarray:
    """float32 (N, D): means over blocks of about an eighth of the side, of all channels."""
    edges = [np.arange(SIDE) * length // SIDE for length in pixels.shape[1:3]]
    out = np.empty((len(pixels), SIDE * SIDE), np.float32)
    rows = max(1, CHUNK // max(1, 8 * pixels[:1].nbytes))
    for start in range(0, len(pixels), rows):
        grey = pixels[start : start + rows].mean(-1, dtype=np.float32)  # (n, H, W)
        sums = np.add.reduceat(np.add.reduceat(grey, edges[0], 1), edges[1], 2)  # (n, 8, 8)
        areas = np.outer(*(np.diff([*e, n]) for e, n in zip(edges, pixels.shape[1:3], strict=True)))
        out[start : start + rows] = (sums / areas).reshape(len(grey), -1)
        release(pixels)
    return out


def _digests(pixels: np.ndarray):
    rows = max(1, CHUNK // max(1, pixels[:1].nbytes))
    for i in range(len(pixels)):
        yield hashlib.blake2b(np.ascontiguousarray(pixels[i]), digest_size=16).digest()
        if i % rows == 0:
            release(pixels)
