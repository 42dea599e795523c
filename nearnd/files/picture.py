"""One image file, of any kind, to a square of pixels.

Transparent parts become white, 16-bit grey is scaled by its full range, the camera's rotation mark
is obeyed, of several frames the first is taken. A JPEG much larger than the square is read at a
half, a quarter or an eighth of its size, as its format allows. The kind of a file is what its
content says, out of a few that are decoded in this process: others start programs of their own.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition
from typing import BinaryIO, NamedTuple

import numpy as np

FORMATS = ("BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TGA", "TIFF", "WEBP")
FITS = ("squash", "crop", "pad")
LARGEST = 1 << 14  # the side of a square
MAX_PIXELS = 200_000_000  # of one picture, if NEARND_MAX_PIXELS does not say; 9 bytes each at most
AT_ONCE = 50_000_000  # pixels that all threads together have in memory, but for a single picture
SHARPER = 6  # a JPEG is not read at less than this many times the square's side: one grey level
ORIENTATION = 0x0112  # the EXIF tag; from its value to how the picture is to be turned:
TURNS = {
    2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_270",
    7: "TRANSVERSE", 8: "ROTATE_90",
}  # fmt: skip


class Form(NamedTuple):
    """What pictures are made into."""

    size: int  # the side of the square
    mode: str = "RGB"  # or "L", grey
    fit: str = "squash"  # the whole picture, its proportions lost; "crop": its middle, as large a
    # square as there is; "pad": the whole picture, black beside it
    cut: int = 0  # rows at the bottom that are left out
    bits: int = 16  # that grey values in 16-bit files have: 12 for what many cameras deliver

    def check(self) -> "Form":
        """Itself, or ValueError for a setting that cannot be."""
        if self.mode not in ("RGB", "L"):
            raise ValueError(f"mode is {self.mode!r}, it must be RGB or L")
        if not isinstance(self.size, int) or not 1 <= self.size <= LARGEST:
            raise ValueError(
                f"size is {self.size!r}, it must be a whole number from 1 to {LARGEST}"
            )
        if self.fit not in FITS:
            raise ValueError(
                f"fit is {self.fit!r}, it must be {', '.join(FITS[:-1])} or {FITS[-1]}"
            )
        if self.bits not in range(8, 17):
            raise ValueError(f"bits is {self.bits!r}, it must be a whole number from 8 to 16")
        return self


class Found(NamedTuple):
    """What a file held before it became a square."""

    mode: str  # PIL's word for the type of pixels
    width: int
    height: int
    remark: str = ""  # what a user should know of how it was read
    brightest: int | None = None  # value of a 16-bit file read as such, of 65535


def square(file: BinaryIO, form: Form) -> tuple[np.ndarray, Found]:
    """uint8 (size, size, C), C = 3 for mode "RGB" and 1 for "L".

    PIL's errors, and ValueError, for what is no image that can be used.
    """
    from PIL import Image

    bilinear = Image.Resampling.BILINEAR  # anti-aliased
    with opened(file) as image:
        found = Found(image.mode, *image.size, _remark(image))
        deep = ";16" in str(image.tile)
        if not form.cut:  # a coarse pixel would mix what is cut with what is left
            image.draft(None, (SHARPER * form.size,) * 2)  # JPEG only
        with room(image.width * image.height):
            image.load()
            if turn := TURNS.get(orientation(image)):  # exif_transpose: not where others are bad
                image = image.transpose(Image.Transpose[turn])
            if image.height <= form.cut:
                raise ValueError(f"it has {image.height} rows, {form.cut} are to be left out")
            if form.cut:
                image = image.crop((0, 0, image.width, image.height - form.cut))
            image, brightest = _plain(image, deep, form.bits)
            image = fitted(image, form.size, form.fit, bilinear)  # from here on it is small
    if image.mode == "I":
        grey = np.asarray(image) * (255 / (2**form.bits - 1))
        image = Image.fromarray(np.round(grey).astype(np.uint8))
    elif image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    pixels = np.asarray(image.convert(form.mode)).reshape(image.height, image.width, -1)
    return padded(pixels, form.size), found._replace(brightest=brightest)


def fitted(image, size: int, fit: str, how):
    """The PIL image, resized: to (size, size), of "pad" the longer side alone.

    Of "crop" it is what torchvision's Resize(size) and CenterCrop(size) give, rounding included.
    """
    width, height = image.size
    if fit == "squash":
        return image.resize((size, size), how)
    longer = int(size * max(width, height) / min(width, height))
    if fit == "crop":
        w, h = (size, longer) if width <= height else (longer, size)  # of the whole
        left, top = round((w - size) / 2), round((h - size) / 2)
        x, y = width / w, height / h
        right, bottom = min((left + size) * x, width), min((top + size) * y, height)
        return image.resize((size, size), how, box=(left * x, top * y, right, bottom))
    scale = size / max(width, height)
    return image.resize([max(1, round(side * scale)) for side in (width, height)], how)


def padded(pixels: np.ndarray, size: int) -> np.ndarray:
    """(size, size, ...) with (h, w, ...) in its middle, zeros beside it."""
    height, width = pixels.shape[:2]
    if (height, width) == (size, size):
        return pixels
    out = np.zeros((size, size, *pixels.shape[2:]), pixels.dtype)
    top, left = (size - height) // 2, (size - width) // 2
    out[top : top + height, left : left + width] = pixels
    return out


def scaled(image, size: int) -> np.ndarray:
    """uint8 (size, size, C) from a PIL image, squashed."""
    from PIL import Image

    resized = image.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(resized).reshape(size, size, -1)


def max_pixels() -> int:
    """How many pixels a picture may have."""
    text = os.environ.get("NEARND_MAX_PIXELS") or str(MAX_PIXELS)
    if not text.isdecimal():
        raise ValueError(f"NEARND_MAX_PIXELS is {text!r}, it must be a number of pixels")
    return int(text)


def opened(file: BinaryIO):
    from PIL import Image

    if not file.read(1):
        raise ValueError("the file is empty")
    file.seek(0)
    Image.MAX_IMAGE_PIXELS = most = max_pixels()  # PIL refuses from twice that on, and warns
    try:
        image = Image.open(file, formats=FORMATS)
        if image.width * image.height > most:
            raise Image.DecompressionBombError(f"{image.width} x {image.height} pixels")
    except Image.DecompressionBombError as error:
        raise ValueError(
            f"{error}: more than the limit of {most} (a decompression bomb?); make it smaller, or"
            " set the environment variable NEARND_MAX_PIXELS where there is memory for it"
        ) from error
    return image


_taken, _freed = [0], Condition()


@contextmanager
def room(pixels: int) -> Iterator[None]:
    """Waits until the pictures in memory and this one have AT_ONCE pixels, or it is the only one:
    the memory of many threads is that of a few pictures."""
    with _freed:
        _freed.wait_for(lambda: not _taken[0] or _taken[0] + pixels <= AT_ONCE)
        _taken[0] += pixels
    try:
        yield
    finally:
        with _freed:
            _taken[0] -= pixels
            _freed.notify_all()


def _plain(image, deep: bool, bits: int) -> tuple:
    """The image in a mode that can be resized (L, RGB, RGBA, or I for 16-bit grey), and its
    brightest value if the file has 16 bits (`deep`). Nothing is copied that need not be."""
    if image.mode.startswith("I"):  # some formats deliver 16-bit grey as 32-bit integers
        image = image if image.mode == "I" else image.convert("I")
        darkest, brightest = image.getextrema()
        if darkest < 0 or brightest >= 2**bits:
            raise ValueError(
                f"grey values {darkest} to {brightest} outside 0 to {2**bits - 1}: save it with 8"
                " or 16 bits" + (f"; `bits` is {bits}" if bits < 16 else "")
            )
        return image, brightest if bits == 16 else None
    if image.mode == "F":
        raise ValueError("floating-point pixels of unknown range: save it with 8 or 16 bits")
    brightest = None
    if deep:  # PIL delivers the upper eight bits
        if bits < 16:
            raise ValueError(f"16 bits a colour can be read with `bits: 16` alone, not {bits}")
        colours = [band for band in image.getbands() if band != "A"]
        brightest = 257 * max(image.getchannel(band).getextrema()[1] for band in colours)
    if image.has_transparency_data:
        return image if image.mode == "RGBA" else image.convert("RGBA"), brightest
    return image if image.mode in ("L", "RGB") else image.convert("RGB"), brightest


def orientation(image) -> int | None:
    """1 to 8, None if there is none that can be read."""
    try:
        return image.getexif().get(ORIENTATION)
    except Exception:  # a damaged EXIF block raises errors of many types
        return None


def _remark(image) -> str:
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)  # MPO: a phone's JPEG
    return f"the first of its {frames} frames is taken" if frames > 1 else ""
