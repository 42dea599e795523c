"""Image files of any kind to one uint8 array: decoded and resized once, in parallel, on disk.

Every image becomes a square of the whole picture (a plain resize, no crop: what lies at the border
may be the anomaly). Transparent parts become white, 16-bit grey is scaled by its full range, the
camera's rotation mark is obeyed, of several frames the first is taken.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np

from nearnd.contracts import Images

BATCH = 256  # images handed to the threads at a time, so that waiting jobs stay few
LISTED = 10  # bad files that an error names


def decode(sources: Sequence[tuple[str, Path | bytes]], size: int, mode: str) -> np.ndarray:
    """uint8 (N, size, size, C), C = 3 for mode "RGB" and 1 for "L": a memory map on a scratch file.

    `sources` are (name for messages, file or its content). The scratch file has no name and goes
    when the array does. ValueError naming up to ten files that cannot be read, and how many.
    """
    if mode not in ("RGB", "L"):
        raise ValueError(f"mode is {mode!r}, it must be RGB or L")
    if size < 1:
        raise ValueError(f"size is {size}, it must be at least 1")
    pixels = _scratch((len(sources), size, size, 3 if mode == "RGB" else 1))

    def one(i: int) -> str | None:
        name, source = sources[i]
        try:
            square = _square(source, size, mode)
        except Exception as error:  # decoders raise errors of every type on broken files
            return f"{name}: {_reason(source, error)}"
        pixels[i] = square.reshape(pixels.shape[1:])
        return None

    bad: list[str] = []
    threads = int(os.environ.get("OMP_NUM_THREADS") or 0) or min(8, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(sources), BATCH):
            rows = range(start, min(start + BATCH, len(sources)))
            bad += [problem for problem in pool.map(one, rows) if problem]
    if bad:
        more = f"\n  and {len(bad) - LISTED} more" if len(bad) > LISTED else ""
        raise ValueError(
            f"{len(bad)} of {len(sources)} files are not readable images;"
            " repair them or take them away:\n  " + "\n  ".join(bad[:LISTED]) + more
        )
    return pixels


def decode_parts(
    parts: dict[str, np.ndarray],
    sources: Sequence[tuple[str, Path | bytes]],
    labels: np.ndarray,
    size: int,
    mode: str,
) -> dict[str, Images]:
    """{split: Images}: `parts` says which rows of `sources` and `labels` each split has.

    ids are the sources' names. All splits lie in one memory map, one after the other: to pick
    rows out of it afterwards would load them.
    """
    rows = np.concatenate(list(parts.values()))
    pixels = decode([sources[i] for i in rows], size, mode)
    ids = np.array([sources[i][0] for i in rows])
    images = Images(pixels, np.asarray(labels, dtype=np.int64)[rows], ids)
    ends = np.cumsum([len(part) for part in parts.values()])
    return {
        split: images.rows(slice(end - len(part), end))
        for (split, part), end in zip(parts.items(), ends, strict=True)
    }


def _scratch(shape: tuple[int, ...]) -> np.ndarray:
    nbytes = int(np.prod(shape))
    with tempfile.TemporaryFile(prefix="nearnd-") as file:
        if hasattr(os, "posix_fallocate") and nbytes:  # a full disk is an error here, not a crash
            try:
                os.posix_fallocate(file.fileno(), 0, nbytes)
            except OSError as error:
                raise OSError(
                    f"no room for {nbytes / 1e9:.1f} GB of decoded images in"
                    f" {tempfile.gettempdir()} (set TMPDIR to another folder): {error}"
                ) from error
        return np.memmap(file, np.uint8, "r+" if nbytes else "w+", shape=shape)


def _square(source: Path | bytes, size: int, mode: str) -> np.ndarray:
    from PIL import Image, ImageOps

    with Image.open(BytesIO(source) if isinstance(source, bytes) else source) as image:
        image.load()
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16-bit grey, which some formats deliver as 32-bit integers
        grey = np.asarray(image).astype(np.int64)
        if grey.min() < 0 or grey.max() > 65535:
            raise ValueError("grey values outside 0..65535: save it with 8 or 16 bits")
        image = Image.fromarray(np.round(grey / 257).astype(np.uint8))
    elif image.mode == "F":
        raise ValueError("floating-point pixels of unknown range: save it with 8 or 16 bits")
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert(mode)
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))  # anti-aliased


def _reason(source: Path | bytes, error: Exception) -> str:
    from PIL import UnidentifiedImageError

    if not (len(source) if isinstance(source, bytes) else source.stat().st_size):
        return "the file is empty"
    if isinstance(error, UnidentifiedImageError):
        return "not an image that can be read"
    return str(error) or type(error).__name__
