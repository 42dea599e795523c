"""Many image files to one uint8 array: decoded once, in parallel, on disk.

What one file becomes is in square.py. Pixels go to a scratch file, not to memory: what is in memory
at a time is an image for each thread and the squares of one batch.
"""

import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np

from nearnd.contracts import Images
from nearnd.files.arrays import release, scratch
from nearnd.files.picture import Found, mask, scaled, square

BATCH = 256  # images that are handed to the threads at a time
EVERY = 10.0  # seconds between two lines of progress
LISTED = 10  # files that a message names
log = logging.getLogger("nearnd")


class Source(Protocol):
    """Where an image comes from: a Path, or a file in an archive."""

    def read_bytes(self) -> bytes: ...


def decode(
    sources: Sequence[tuple[str, Source | bytes]], size: int, mode: str, cut: int = 0
) -> np.ndarray:
    """uint8 (N, size, size, C), C = 3 for mode "RGB" and 1 for "L": a map on a scratch file.

    `sources` are (name for messages, file or its content); `cut` rows at the bottom of each image
    are left out. ValueError naming up to ten files that cannot be read, and how many there are.
    """
    shape = _shape(len(sources), size, mode)
    return _decode(sources, shape, lambda content: square(content, size, mode, cut))


def decode_each(
    sources: Sequence[tuple[str, Source | bytes]], size: int, mode: str, cut: int = 0
) -> tuple[np.ndarray, list[str]]:
    """The pixels as of `decode`, and for each file why it cannot be read: "" if it can, else its
    pixels are all 0."""
    shape = _shape(len(sources), size, mode)
    pixels, results = _each(sources, shape, lambda content: square(content, size, mode, cut))
    return pixels, [result if isinstance(result, str) else "" for result in results]


def decode_masks(sources: Sequence[tuple[str, Source | None]], size: int) -> np.ndarray:
    """uint8 (N, size, size), 1 where an image is marked and else 0; all 0 where there is None."""
    return _decode(sources, (len(sources), size, size), lambda content: mask(content, size))


def decode_splits(
    splits: dict[str, Sequence[tuple[str, int, Source | bytes]]],
    size: int,
    mode: str = "RGB",
    cut: int = 0,
) -> dict[str, Images]:
    """{split: Images} from {split: [(id, label, source)]}; size, mode and cut as in `decode`."""
    rows = [row for split in splits.values() for row in split]
    pixels = decode([(name, source) for name, _, source in rows], size, mode, cut)
    labels = np.array([label for _, label, _ in rows], dtype=np.int64)
    images = Images(pixels, labels, np.array([name for name, _, _ in rows], dtype=str))
    ends = np.cumsum([len(split) for split in splits.values()])
    return {  # slices of one map, one after the other: picking rows would load them
        split: images.rows(slice(end - len(part), end))
        for (split, part), end in zip(splits.items(), ends, strict=True)
    }


def decode_parts(
    parts: dict[str, np.ndarray],
    sources: Sequence[tuple[str, Source | bytes]],
    labels: np.ndarray,
    size: int,
    mode: str,
) -> dict[str, Images]:
    """{split: Images}: `parts` says which rows of `sources` and `labels` each split has.

    ids are the sources' names.
    """
    splits = {
        split: [(sources[i][0], int(labels[i]), sources[i][1]) for i in rows]
        for split, rows in parts.items()
    }
    return decode_splits(splits, size, mode)


def resize(pixels: np.ndarray, size: int) -> np.ndarray:
    """uint8 (N, H, W, C) -> (N, size, size, C), each image as `decode` does it; C = 1 or 3."""
    from PIL import Image

    if pixels.shape[1:3] == (size, size):
        return pixels
    out = np.empty((len(pixels), size, size, pixels.shape[3]), np.uint8)
    for image, row in zip(pixels, out, strict=True):
        plain = image[..., 0] if image.shape[-1] == 1 else image  # PIL has no (H, W, 1)
        row[:] = scaled(Image.fromarray(plain), size)
    return out


def _shape(n: int, size: int, mode: str) -> tuple[int, ...]:
    if mode not in ("RGB", "L"):
        raise ValueError(f"mode is {mode!r}, it must be RGB or L")
    if size < 1:
        raise ValueError(f"size is {size}, it must be at least 1")
    return n, size, size, 3 if mode == "RGB" else 1


def _decode(
    sources: Sequence[tuple[str, Source | bytes | None]],
    shape: tuple[int, ...],
    convert: Callable[[bytes], tuple[np.ndarray, Found]],
) -> np.ndarray:
    pixels, results = _each(sources, shape, convert)
    bad = [
        f"{name if isinstance(source, bytes | Path) else source}: {result}"
        for (name, source), result in zip(sources, results, strict=True)
        if isinstance(result, str)
    ]
    if bad:
        raise ValueError(
            f"{len(bad)} of {len(sources)} files are not readable images;"
            f" repair them or take them away:{_listed(bad)}"
        )
    _log_kinds([(sources[i][0], found) for i, found in enumerate(results) if found])
    return pixels


def _each(
    sources: Sequence[tuple[str, Source | bytes | None]],
    shape: tuple[int, ...],
    convert: Callable[[bytes], tuple[np.ndarray, Found]],
) -> tuple[np.ndarray, list[Found | str | None]]:
    """The pixels, and of each source what was found, or in words why it cannot be read."""
    pixels = scratch(shape)

    def one(i: int) -> Found | str | None:
        source = sources[i][1]
        if source is None:
            return None
        try:
            content = source if isinstance(source, bytes) else source.read_bytes()
            pixels[i], found = convert(content)
            return found
        except Exception as error:  # decoders raise errors of every type on broken files
            return _reason(error)

    results = []
    threads = int(os.environ.get("OMP_NUM_THREADS") or 0) or min(8, os.cpu_count() or 1)
    last = time.monotonic()
    with ThreadPoolExecutor(threads) as pool:  # PIL decodes and resizes outside the GIL
        for start in range(0, len(sources), BATCH):
            results += pool.map(one, range(start, min(start + BATCH, len(sources))))
            release(pixels)
            if time.monotonic() - last > EVERY:
                last = time.monotonic()
                log.info(f"{len(results)} of {len(sources)} images decoded")
    return pixels, results


def _log_kinds(images: list[tuple[str, Found]]) -> None:
    """One line on what there was: types of pixels and sizes; and the files with a remark."""
    if not images:
        return
    modes = Counter(found.mode for _, found in images).most_common()
    widths, heights = ([found[axis] for _, found in images] for axis in (1, 2))
    log.info(
        f"{len(images)} images: {', '.join(f'{n} {mode}' for mode, n in modes)};"
        f" {min(widths)} to {max(widths)} wide, {min(heights)} to {max(heights)} high"
    )
    if remarks := [f"{name}: {found.remark}" for name, found in images if found.remark]:
        log.warning(f"{len(remarks)} of them are special:{_listed(remarks)}")


def _listed(lines: list[str]) -> str:
    more = f"\n  and {len(lines) - LISTED} more" if len(lines) > LISTED else ""
    return "\n  " + "\n  ".join(lines[:LISTED]) + more


def _reason(error: Exception) -> str:
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "not an image that can be read"
    return str(error) or type(error).__name__
