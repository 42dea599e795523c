"""One image file, of any kind, to a square of pixels.

The whole picture is resized, nothing is cropped: what lies at the border may be the anomaly.
Transparent parts become white, 16-bit grey is scaled by its full range, the camera's rotation mark
is obeyed, of several frames the first is taken. A JPEG much larger than the square is read at a
half, a quarter or an eighth of its size, as its format allows.
"""

from io import BytesIO
from typing import NamedTuple

import numpy as np

SHARPER = 3  # a JPEG is not read at less than this many times the square's side
ORIENTATION = 0x0112  # the EXIF tag; from its value to how the picture is to be turned:
TURNS = {
    2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_270",
    7: "TRANSVERSE", 8: "ROTATE_90",
}  # fmt: skip


class Found(NamedTuple):
    """What a file held before it became a square."""

    mode: str  # PIL's word for the type of pixels
    width: int
    height: int
    remark: str = ""  # what a user should know of how it was read


def square(content: bytes, size: int, mode: str, cut: int = 0) -> tuple[np.ndarray, Found]:
    """uint8 (size, size, C), C = 3 for mode "RGB" and 1 for "L".

    `cut` rows at the bottom of the picture are left out. PIL's errors, and ValueError, for what is
    no image that can be used.
    """
    from PIL import Image

    with _open(content) as image:
        found = Found(image.mode, *image.size, _remark(image))
        if not cut:  # a coarse pixel would mix what is cut with what is left
            image.draft(None, (SHARPER * size, SHARPER * size))  # JPEG only
        image.load()
        if turn := TURNS.get(_orientation(image)):  # exif_transpose fails where other tags are bad
            image = image.transpose(Image.Transpose[turn])
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
    if image.height <= cut:
        raise ValueError(f"it has {image.height} rows, {cut} of which are to be left out")
    return scaled(image.convert(mode), size, (0, 0, image.width, image.height - cut)), found


def mask(content: bytes, size: int) -> tuple[np.ndarray, Found]:
    """uint8 (size, size): 1 where at least half of a pixel is marked (not black), else 0.

    A mark so small that it fills no pixel to a half keeps the pixels that it fills most.
    """
    from PIL import Image

    with _open(content) as image:
        found = Found(image.mode, *image.size)
        marked = np.asarray(image.convert("L")) > 0  # (H, W)
    marked = Image.fromarray(marked.astype(np.float32))
    share = np.asarray(marked.resize((size, size), Image.Resampling.BOX))  # (size, size)
    least = min(0.5, share.max()) or 1.0  # 1 for a mask without any mark
    return (share >= least).astype(np.uint8), found


def scaled(image, size: int, box: tuple[int, ...] | None = None) -> np.ndarray:
    """uint8 (size, size, C) from a PIL image, or from a `box` (left, upper, right, lower) of it."""
    from PIL import Image

    bilinear = Image.Resampling.BILINEAR  # anti-aliased
    return np.asarray(image.resize((size, size), bilinear, box=box)).reshape(size, size, -1)


def _open(content: bytes):
    from PIL import Image

    if not content:
        raise ValueError("the file is empty")
    image = Image.open(BytesIO(content))
    width, height = image.size
    if width * height > Image.MAX_IMAGE_PIXELS:  # PIL itself only warns up to twice that
        raise ValueError(
            f"{width} x {height} pixels are more than the limit of {Image.MAX_IMAGE_PIXELS}"
            " (a decompression bomb?): make it smaller"
        )
    return image


def _orientation(image) -> int | None:
    """1 to 8, None if there is none that can be read."""
    try:
        return image.getexif().get(ORIENTATION)
    except Exception:  # a damaged EXIF block raises errors of many types
        return None


def _remark(image) -> str:
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)  # MPO: a phone's JPEG
    return f"the first of its {frames} frames is taken" if frames > 1 else ""
