"""Where in a picture a method sees the anomaly: its map in colours, on one scale for all."""

from pathlib import Path

import numpy as np

from nearnd.files.picture import TURNS, opened, orientation, room
from nearnd.files.regular import regular

COLOURS, OPACITY = "viridis", 0.65  # as in the figures of a run
SIGMA, OF = 4.0, 224  # PatchCore's blur in pixels, of images so wide
MOST = 1 << 30  # bytes of a picture's file
WIDEST = 1200  # pixels of the longer side of a drawn map: of a photograph of 12 million 1.3 MB,
# not 11; a palette would make it a third, but rare colours, which are the point, suffer from it
DARK = 0.4  # of a picture's brightness, where the method does not look


def overlay(
    picture: np.ndarray, where: np.ndarray, scale: tuple[float, float], share: float, fit: str
) -> np.ndarray:
    """uint8 (H, W, 3): the picture (H, W, 1 or 3) in grey under the colours of a map (h, w).

    scale: the values of the first and the last colour. share, fit: see `place`; what the method
    does not see is dark.
    """
    from matplotlib import colormaps

    height, width = picture.shape[:2]
    grey = picture.mean(axis=2, keepdims=True)  # (H, W, 1)
    values = place(where, width, height, share, fit)  # (H, W)
    low, high = scale
    even = np.clip((np.nan_to_num(values, nan=low) - low) / max(high - low, 1e-12), 0, 1)
    colour = 255 * colormaps[COLOURS](even)[..., :3]  # (H, W, 3)
    mixed = OPACITY * colour + (1 - OPACITY) * grey
    return np.where(np.isnan(values)[..., None], DARK * grey, mixed).astype(np.uint8)


def place(where: np.ndarray, width: int, height: int, share: float, fit: str) -> np.ndarray:
    """float32 (height, width): a map (h, w) on a picture's pixels, NaN where it says nothing.

    Bilinear and blurred. `fit` says how the picture became a square (files/picture.py), of whose
    side, around the centre, the map covers a `share`.
    """
    from PIL import Image
    from scipy.ndimage import gaussian_filter

    side = {"squash": None, "crop": min(width, height), "pad": max(width, height)}[fit]
    w, h = (max(1, round(share * (side or length))) for length in (width, height))
    small = Image.fromarray(np.ascontiguousarray(where, np.float32))
    large = np.asarray(small.resize((w, h), Image.Resampling.BILINEAR))  # (h', w')
    large = gaussian_filter(large, (SIGMA * h / OF, SIGMA * w / OF))
    out = np.full((height, width), np.nan, np.float32)
    x, y = (width - w) // 2, (height - h) // 2  # below 0 where the square was padded
    inside = large[max(0, -y) : max(0, -y) + height, max(0, -x) : max(0, -x) + width]
    top, left = max(0, y), max(0, x)
    out[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
    return out


def picture(file: Path, widest: int | None = None) -> np.ndarray:
    """uint8 (H, W, 3): a file as its detector saw it, turned as its mark says, in its own size, or
    smaller so that no side is longer than `widest`."""
    from PIL import Image

    with open(regular(file, MOST), "rb") as stream, opened(stream) as image:
        width, height = image.size
        with room(width * height):
            image.load()
            if turn := TURNS.get(orientation(image)):
                image = image.transpose(Image.Transpose[turn])
            if image.mode.startswith("I"):
                grey = np.asarray(image, np.float64)
                image = Image.fromarray((grey * (255 / max(grey.max(), 1))).astype(np.uint8))
            image = image.convert("RGB")
            if widest:
                image.thumbnail((widest, widest), Image.Resampling.LANCZOS)
            return np.asarray(image)


def scale_of(maps: np.ndarray) -> tuple[float, float]:
    """From the median to the highest value of the maps (N, h, w) of held-out normal images, blurred
    as they are shown: the last colour is what none of them has."""
    shown = np.stack([place(one, OF, OF, 1.0, "squash") for one in maps])  # (N, s, s)
    return float(np.median(shown)), float(shown.max())
