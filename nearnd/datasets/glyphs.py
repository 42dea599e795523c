"""Letters A-Z a-z from the DejaVu fonts that matplotlib ships, made to look like scanned digits.

A labelled set with no digit in it, for what the papers take ImageNet-21k or EMNIST-Letters for:
pretraining a small backbone, and outlier exposure. scikit-learn's digits are 32x32 black-and-white
scans of which each 4x4 block was counted (0..16); the letters go the same way, so that grey levels,
anti-aliasing and margins do not tell a letter from a digit.
"""

from pathlib import Path

import numpy as np

from nearnd.contracts import Images
from nearnd.datasets._reader import reader
from nearnd.datasets._split import stratified

RANGES = {"size": (4, 1024), "per_class": (2, 100_000)}
CLASSES = [
    "A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M",
    "N", "O", "P", "Q", "R", "S", "T", "U", "V", "W", "X", "Y", "Z",
    "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m",
    "n", "o", "p", "q", "r", "s", "t", "u", "v", "w", "x", "y", "z",
]  # fmt: skip
FONTS = [
    f"DejaVu{family}"
    for family in (
        *("Sans", "Sans-Bold", "Sans-Oblique", "Sans-BoldOblique"),
        *("SansMono", "SansMono-Bold", "SansMono-Oblique", "SansMono-BoldOblique"),
        *("Serif", "Serif-Bold", "Serif-Italic", "Serif-BoldItalic"),
    )
]
BLOCK = 4  # black-and-white dots per pixel, along each axis


def count(of, *, per_class: int, train: float, **rest) -> dict[str, int]:
    """See contracts.py."""
    n = round(per_class * train)
    return {"train": len(CLASSES) * n, "test": len(CLASSES) * (per_class - n), "channels": 1}


@reader
def build(
    archives,
    /,
    size: int = 8,
    per_class: int = 200,
    seed: int = 0,
    train: float = 0.9,
    turn: float = 6.0,
    shear: float = 0.1,
    wobble: float = 0.03,
):
    """`per_class` letters of each of 52 classes, uint8 (N, size, size, 1), bright ink on black.

    `turn` (degrees) and `shear` are standard deviations; `wobble` is the amplitude of a smooth
    bend as a share of the image side. `train` of each class are training images.
    """
    pixels, ids = [], []
    for label, letter in enumerate(CLASSES):
        rng = np.random.default_rng([seed, label])
        shapes = [_shape(letter, font, BLOCK * size) for font in FONTS]
        for i in range(per_class):
            font = int(rng.integers(len(FONTS)))
            pixels.append(_write(*shapes[font], rng, size, turn, shear, wobble))
            ids.append(f"{letter}/{i:04d}-{FONTS[font]}")
    labels = np.repeat(np.arange(len(CLASSES)), per_class)
    images = Images(np.stack(pixels)[..., None], labels, np.array(ids))  # (N, H, W, 1)
    first, rest = stratified(labels, train, seed)
    return {"train": images.rows(first), "test": images.rows(rest)}, CLASSES


def _write(ink, hull, rng, size: int, turn: float, shear: float, wobble: float) -> np.ndarray:
    """One image uint8 (size, size) of a `_shape`: turned, slanted, fitted, bent, inked."""
    from scipy.ndimage import map_coordinates

    side = BLOCK * size
    angle, slant = np.radians(turn) * rng.normal(), shear * rng.normal()
    rotate = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    shape = rotate @ [[1.0, 0.0], [slant, rng.uniform(0.65, 1.0)]]  # on (row, column)

    # Fit: capitals take the height, small letters keep their proportion to them (else
    # c and C would be one class), wide letters are squeezed to the width.
    low, high = (hull @ shape.T).min(0), (hull @ shape.T).max(0)
    zoom = rng.uniform(0.88, 1.0) * side / max(high[0] - low[0], side)
    squeeze = min(1.0, 7 / 8 * side / (zoom * (high[1] - low[1])))
    scale = np.array([zoom, zoom * squeeze])
    centre = (side - 1) / 2 + rng.uniform(-0.03, 0.03, 2) * side

    # Look up, for every dot of the scan, where in the rendered letter it comes from.
    dot = np.indices((side, side), dtype=float).reshape(2, -1)  # (2, side²)
    wave = 2 * np.pi * rng.uniform(0.5, 1.0, (2, 1)) * dot[::-1] / side
    bend = wobble * side * np.sin(wave + rng.uniform(0, 2 * np.pi, (2, 1)))
    away = (dot + bend - centre[:, None]) / scale[:, None] + ((low + high) / 2)[:, None]
    source = np.linalg.solve(shape, away) + (np.array(ink.shape)[:, None] - 1) / 2
    density = map_coordinates(ink, source, order=1).reshape(side, side)

    dots = density > rng.uniform(0.15, 0.45)  # the pen: a low threshold is a broad stroke
    count = dots.reshape(size, BLOCK, size, BLOCK).sum((1, 3))  # (size, size), 0..16
    return np.round(count * (255 / BLOCK**2)).astype(np.uint8)


def _shape(letter: str, font: str, cap: int) -> tuple[np.ndarray, np.ndarray]:
    """Soft ink in [0, 1] (h, w) with capitals `cap` high, and its hull around the centre (P, 2)."""
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont
    from scipy.ndimage import gaussian_filter
    from scipy.spatial import ConvexHull

    file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{font}.ttf"
    if not file.is_file():
        raise ValueError(f"glyphs: matplotlib here has no font file {file}; reinstall matplotlib")
    pen = ImageFont.truetype(str(file), round(cap / 0.729))  # capitals are 0.729 em high
    canvas = Image.new("L", (3 * cap, 3 * cap))
    ImageDraw.Draw(canvas).text((1.5 * cap, 1.5 * cap), letter, fill=255, font=pen, anchor="mm")
    ink = np.asarray(canvas, dtype=np.float32) / 255  # (3 cap, 3 cap)
    dots = np.argwhere(ink > 0.5)
    hull = dots[ConvexHull(dots).vertices] - (np.array(ink.shape) - 1) / 2  # (P, 2)
    return gaussian_filter(ink, cap / 32), hull
