"""One mask file to a square of zeros and ones, turned as its image is.

Black is unmarked, and so is what is transparent; all else is marked. A format that loses, such as
JPEG, blurs marks and strews grey around them: there, what is below half of the file's range is
unmarked too.
"""

from typing import BinaryIO, NamedTuple

import numpy as np

from nearnd.files.picture import TURNS, Found, fitted, opened, orientation, padded, room

LOSING = ("JPEG", "MPO", "JPEG2000", "WEBP")
SIDEWAYS = ("TRANSPOSE", "TRANSVERSE", "ROTATE_90", "ROTATE_270")


class Seen(NamedTuple):
    """How a picture lies in its file, and how a viewer shows it."""

    stored: tuple[int, int]  # width, height
    turn: str | None  # by which it is turned to be shown

    @property
    def shown(self) -> tuple[int, int]:
        return self.stored[::-1] if self.turn in SIDEWAYS else self.stored


def seen(file: BinaryIO) -> Seen:
    with opened(file) as image:
        return _seen(image)


def _seen(image) -> Seen:
    turn = TURNS.get(orientation(image))
    told = image.format == "TIFF" and turn in SIDEWAYS  # of which PIL tells the size as shown
    return Seen(image.size[::-1] if told else image.size, turn)


def mask(
    file: BinaryIO, size: int, fit: str = "squash", image: Seen | None = None
) -> tuple[np.ndarray, Found]:
    """uint8 (size, size): 1 where at least half of a pixel is marked, else 0.

    A mark so small that it fills no pixel to a half keeps the pixels that it fills most. `image` is
    the picture that it marks: ValueError for a mask of other proportions.
    """
    from PIL import Image

    with opened(file) as drawn, room(drawn.width * drawn.height):
        found = Found(drawn.mode, *drawn.size)
        lies = _seen(drawn)
        turn, guess = _turn(lies, image)
        losing = drawn.format in LOSING or drawn.info.get("compression") == "jpeg"  # in a TIFF
        values = _values(drawn)  # (H, W)
        if lies.turn and drawn.format == "TIFF":  # PIL has turned it
            turn = None
        marked = values >= values.max() / 2 if losing and values.max() else values > 0
        if guess:
            found = found._replace(remark=guess)
        elif len(levels := np.unique(values)) > 2:
            how = "at least half of the largest" if losing else "all but black"
            found = found._replace(remark=f"a mask of {len(levels)} levels, marked is {how}")
        elif marked.all():
            found = found._replace(remark="a mask without black, the whole picture is marked")
        picture = Image.fromarray(marked.astype(np.float32))
        if turn:
            picture = picture.transpose(Image.Transpose[turn])
        share = np.asarray(fitted(picture, size, fit, Image.Resampling.BOX))  # (h, w)
    least = min(0.5, share.max()) or 1.0  # 1 for a mask without any mark
    return padded((share >= least).astype(np.uint8), size), found


def _turn(drawn: Seen, image: Seen | None) -> tuple[str | None, str]:
    """How a mask is turned, and words for the log where that is a guess.

    One without a rotation mark of its own was drawn on its image as stored, or as shown.
    """
    if image is None:
        return drawn.turn, ""
    as_shown = _alike(drawn.shown, image.shown)
    as_stored = not drawn.turn and image.turn and _alike(drawn.stored, image.stored)
    if not as_shown and not as_stored:
        raise ValueError(
            f"it has {drawn.shown[0]} x {drawn.shown[1]} pixels, its image"
            f" {image.shown[0]} x {image.shown[1]}: it belongs to another one"
        )
    if as_shown and as_stored:
        return image.turn, (
            "its image has a rotation mark and the mask has none: it is turned like the image, a"
            " guess; save both without rotation marks to be sure"
        )
    return (drawn.turn if as_shown else image.turn), ""


def _alike(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Of one size, or of one ratio up to the rounding of a pixel."""
    return abs(one[0] * other[1] - one[1] * other[0]) < max(*one, *other) or one == other


def _values(image) -> np.ndarray:
    """(H, W), 0 where black or transparent."""
    from PIL import Image

    if image.mode.startswith(("I", "F")):
        return np.asarray(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image)
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))
    return np.asarray(image.convert("RGB")).max(-1)
