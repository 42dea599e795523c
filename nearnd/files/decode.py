"""Many image files to one uint8 array: decoded once, in parallel, on disk.

What one file becomes is in picture.py. Pixels go to a scratch file, not to memory: what is in
memory at a time is a picture for each thread, or a single large one, and the squares of one batch.
"""

import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np

from nearnd.contracts import Images
from nearnd.files.arrays import release, scratch
from nearnd.files.image_folders import is_text
from nearnd.files.mask import mask, seen
from nearnd.files.picture import Form, Found, scaled, square
from nearnd.files.regular import regular

BATCH = 256  # images that are handed to the threads at a time
MOST = 1 << 30  # bytes of one picture's file
DARK = 1 << 14  # of 65535: values of a set of 16-bit files that are all below have 14 bits or less
OBLONG = 2.0  # sides of a picture, one to the other, from which on it is said what is lost
LOSSES = {
    "squash": "they are squashed to squares",
    "crop": "what lies outside of a square in the middle is lost",
}
EVERY = 10.0  # seconds between two lines of progress
LISTED = 10  # files that a message names
log = logging.getLogger("nearnd")


class Source(Protocol):
    """Where an image comes from: a Path, or a file in an archive."""

    def read_bytes(self) -> bytes: ...


def decode(
    sources: Sequence[tuple[str, Source | bytes]], size: int, mode: str, **form
) -> np.ndarray:
    """uint8 (N, size, size, C), C = 3 for mode "RGB" and 1 for "L": a map on a scratch file.

    `sources` are (name for messages, file or its content), `form` the other fields of a `Form`.
    ValueError naming up to ten files that cannot be read, and how many there are.
    """
    form = Form(size, mode, **form)
    pixels, _ = _all(sources, *_squares(len(sources), form), fit=form.fit)
    return pixels


def decode_each(
    sources: Sequence[tuple[str, Source | bytes]], size: int, mode: str, **form
) -> tuple[np.ndarray, list[str]]:
    """The pixels as of `decode`, and for each file why it cannot be read: "" if it can, else its
    pixels are all 0."""
    pixels, results = look_each(sources, size, mode, **form)
    return pixels, [result if isinstance(result, str) else "" for result in results]


def look_each(
    sources: Sequence[tuple[str, Source | bytes]], size: int, mode: str, **form
) -> tuple[np.ndarray, list[Found | str]]:
    """The pixels as of `decode`, and of each file what it held, or why it cannot be read."""
    return _each(sources, *_squares(len(sources), Form(size, mode, **form)))


def decode_masks(
    sources: Sequence[tuple[str, Source | None]],
    size: int,
    fit: str = "squash",
    images: Sequence[Source | bytes] | None = None,
) -> np.ndarray:
    """uint8 (N, size, size), 1 where an image is marked and else 0; all 0 where there is None.

    `images` are what they mark: a mask is turned as its image is, and must have its proportions.
    """

    def convert(file: BinaryIO, i: int) -> tuple[np.ndarray, Found]:
        if images is None:
            return mask(file, size, fit)
        with _opened(images[i]) as image:
            return mask(file, size, fit, seen(image))

    return _all(sources, (len(sources), size, size), convert)[0]


def decode_splits(
    splits: dict[str, Sequence[tuple[str, int, Source | bytes]]],
    size: int,
    mode: str = "RGB",
    spare: float = 0.0,
    **form,
) -> dict[str, Images]:
    """{split: Images} from {split: [(id, label, source)]}; size, mode and form as in `decode`.

    Up to this share `spare` of all files may be unreadable: they are left out and named in a
    warning. The ids tell which are left.
    """
    rows = [row for split in splits.values() for row in split]
    sources = [(name, source) for name, _, source in rows]
    form = Form(size, mode, **form)
    pixels, there = _all(sources, *_squares(len(rows), form), spare, form.fit)
    labels = np.array([label for _, label, _ in rows], dtype=np.int64)
    images = Images(pixels, labels, np.array([name for name, _, _ in rows], dtype=str))
    found, start, end = {}, 0, 0
    for split, part in splits.items():
        first, last = end, (end := end + len(part))
        if lost := set(labels[first:last]) - set(labels[first:last][there[first:last]]):
            names = [name for name, label, _ in part if label in lost]
            raise ValueError(f"of a class no {split} image can be read: {', '.join(names[:5])}")
        kept = first + np.flatnonzero(there[first:last])
        for to, row in enumerate(kept, start):  # towards the front of the map, in their order
            if to != row:
                pixels[to], labels[to], images.ids[to] = pixels[row], labels[row], images.ids[row]
        # a slice of the one map: picking rows would load them
        found[split] = images.rows(slice(start, start := start + len(kept)))
    release(pixels)
    return found


def decode_parts(
    parts: dict[str, np.ndarray],
    sources: Sequence[tuple[str, Source | bytes]],
    labels: np.ndarray,
    size: int,
    mode: str,
    **more,
) -> dict[str, Images]:
    """{split: Images}: `parts` says which rows of `sources` and `labels` each split has.

    ids are the sources' names; the rest as in `decode_splits`.
    """
    splits = {
        split: [(sources[i][0], int(labels[i]), sources[i][1]) for i in rows]
        for split, rows in parts.items()
    }
    return decode_splits(splits, size, mode, **more)


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


def _squares(n: int, form: Form) -> tuple[tuple[int, ...], Callable]:
    """The shape of the pixels, and what makes a row of them of a file."""
    form.check()
    shape = (n, form.size, form.size, 3 if form.mode == "RGB" else 1)
    return shape, lambda file, _: square(file, form)


def _all(
    sources: Sequence[tuple[str, Source | bytes | None]],
    shape: tuple[int, ...],
    convert: Callable[[BinaryIO, int], tuple[np.ndarray, Found]],
    spare: float = 0.0,
    fit: str = "",
) -> tuple[np.ndarray, np.ndarray]:
    """The pixels, and which of them there are: all, but for a share `spare` of them."""
    if unnamed := [name for name, _ in sources if not is_text(name)]:
        raise ValueError(
            f"{len(unnamed)} files have names that are not UTF-8, which no table can hold; rename"
            f" them:{_listed([repr(os.fsencode(name)) for name in unnamed])}"
        )
    pixels, results = _each(sources, shape, convert)
    bad = [
        f"{name if isinstance(source, bytes | Path) else source}: {result}"
        for (name, source), result in zip(sources, results, strict=True)
        if isinstance(result, str)
    ]
    if bad:
        what = f"{len(bad)} of {len(sources)} files are not readable images"
        if len(bad) > spare * len(sources):
            raise ValueError(f"{what}; repair them or take them away:{_listed(bad)}")
        log.warning(f"{what} and are left out:{_listed(bad)}")
    _log_kinds([(sources[i][0], r) for i, r in enumerate(results) if isinstance(r, Found)], fit)
    return pixels, np.array([not isinstance(result, str) for result in results], dtype=bool)


def _each(
    sources: Sequence[tuple[str, Source | bytes | None]],
    shape: tuple[int, ...],
    convert: Callable[[BinaryIO, int], tuple[np.ndarray, Found]],
) -> tuple[np.ndarray, list[Found | str | None]]:
    """The pixels, and of each source what was found, or in words why it cannot be read."""
    pixels = scratch(shape)

    def one(i: int) -> Found | str | None:
        source = sources[i][1]
        if source is None:
            return None
        try:
            with _opened(source) as file:
                pixels[i], found = convert(file, i)
            return found
        except Exception as error:  # decoders raise errors of every type on broken files
            return _reason(error).removeprefix(f"{source} ")

    results = []
    threads = int(os.environ.get("NEARND_CORES") or 0) or min(8, os.cpu_count() or 1)
    last = time.monotonic()
    with ThreadPoolExecutor(threads) as pool:  # PIL decodes and resizes outside the GIL
        for start in range(0, len(sources), BATCH):
            results += pool.map(one, range(start, min(start + BATCH, len(sources))))
            release(pixels)
            if time.monotonic() - last > EVERY:
                last = time.monotonic()
                log.info(f"{len(results)} of {len(sources)} images decoded")
    return pixels, results


def _opened(source: Source | bytes) -> BinaryIO:
    """A user's file is read as its decoder wants it, not whole."""
    if isinstance(source, Path):
        return open(regular(source, MOST), "rb")
    return BytesIO(source if isinstance(source, bytes) else source.read_bytes())


def _log_kinds(images: list[tuple[str, Found]], fit: str) -> None:
    """One line on what there was: types of pixels and sizes; what `fit` does to the most oblong
    one; and the files with a remark."""
    if not images:
        return
    modes = Counter(found.mode for _, found in images).most_common()
    widths, heights = ([found[axis] for _, found in images] for axis in (1, 2))
    log.info(
        f"{len(images)} images: {', '.join(f'{n} {mode}' for mode, n in modes)};"
        f" {min(widths)} to {max(widths)} wide, {min(heights)} to {max(heights)} high"
    )
    name, longest = max(images, key=lambda image: _oblong(image[1]))
    if _oblong(longest) > OBLONG and fit in LOSSES:
        log.warning(
            f"pictures are up to {_oblong(longest):.1f} times as long as wide ({name}:"
            f" {longest.width} x {longest.height}): {LOSSES[fit]}; `fit` may be squash, crop or pad"
            " where the dataset has that setting"
        )
    if (values := [found.brightest for _, found in images if found.brightest is not None]) and (
        max(values) < DARK
    ):
        log.warning(
            f"{len(values)} of them have 16 bits, but no value above {max(values)} of 65535: they"
            " are read as dark; save them with the whole range, or set"
            f" `bits: {max(8, max(values).bit_length())}` where the dataset has that setting"
        )
    if remarks := [f"{name}: {found.remark}" for name, found in images if found.remark]:
        log.warning(f"{len(remarks)} of them are special:{_listed(remarks)}")


def _oblong(found: Found) -> float:
    return max(found.width, found.height) / min(found.width, found.height)


def _listed(lines: list[str]) -> str:
    more = f"\n  and {len(lines) - LISTED} more" if len(lines) > LISTED else ""
    return "\n  " + "\n  ".join(lines[:LISTED]) + more


def _reason(error: Exception) -> str:
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "not an image that can be read"
    return str(error) or type(error).__name__
