"""A piece of an image, put down somewhere else on it (CutPaste).

Li et al. (2021), "CutPaste: Self-Supervised Learning for Anomaly Detection and Localization",
appendix A, with lengths in shares of their 256 pixels: a large patch, or a thin, turned scar, with
slightly other colours.
"""

import numpy as np

JITTER = 0.1  # largest change of brightness, contrast and saturation


def cutpasted(
    image: np.ndarray, rng: np.random.Generator, shape: str = "both", jitter: float = JITTER
) -> np.ndarray:
    """Float (H, W, C): the image with one piece. shape: "patch", "scar", or "both", each half of
    the time."""
    scar = shape == "scar" or (shape == "both" and rng.random() < 0.5)
    height, width = (scar_of if scar else patch_of)(image.shape, rng)
    piece = recoloured(cut(image, height, width, rng), rng, jitter)  # (h, w, C)
    whole = np.ones(piece.shape[:2], np.float32)
    if scar:
        piece, whole = turned(piece, whole, rng.uniform(-45, 45))
    return paste(image, piece, whole, rng)


def recoloured(piece: np.ndarray, rng: np.random.Generator, jitter: float) -> np.ndarray:
    """With another brightness, contrast and saturation."""
    bright, contrast, colour = rng.uniform(1 - jitter, 1 + jitter, 3)
    piece = piece * bright
    piece = piece.mean() + (piece - piece.mean()) * contrast
    grey = piece.mean(-1, keepdims=True)
    return grey + (piece - grey) * colour


def patch_of(shape, rng: np.random.Generator) -> tuple[int, int]:
    """Height and width: 2 to 15 % of the area, one side up to 3.3 times the other."""
    area = rng.uniform(0.02, 0.15) * shape[0] * shape[1]
    ratio = np.exp(rng.uniform(np.log(0.3), np.log(3.3)))
    return sides(np.sqrt(area / ratio), np.sqrt(area * ratio), shape)


def scar_of(shape, rng: np.random.Generator) -> tuple[int, int]:
    """Height 10 to 25 and width 2 to 16 of 256 pixels."""
    return sides(rng.uniform(10, 25) / 256 * shape[0], rng.uniform(2, 16) / 256 * shape[1], shape)


def sides(height: float, width: float, shape) -> tuple[int, int]:
    """Whole numbers of pixels, 1 at least and all of them but one at most."""
    return tuple(int(np.clip(round(x), 1, max(1, side - 1)))
                 for x, side in ((height, shape[0]), (width, shape[1])))  # fmt: skip


def cut(image: np.ndarray, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """A piece float (height, width, C) from a random place."""
    top, left = place(image, height, width, rng)
    return image[top : top + height, left : left + width].astype(np.float32)


def turned(piece: np.ndarray, whole: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """The piece (h, w, C) by some degrees, on a larger rectangle, and how much of each pixel there
    it covers."""
    from scipy.ndimage import rotate

    how = {"axes": (0, 1), "order": 1}
    return rotate(piece, angle, mode="nearest", **how), rotate(whole, angle, **how)


def paste(image: np.ndarray, piece, whole, rng: np.random.Generator) -> np.ndarray:
    """The image with the piece at a random place; what is too large for it is cut off."""
    piece, whole = (
        piece[: image.shape[0], : image.shape[1]],
        whole[: image.shape[0], : image.shape[1]],
    )
    (height, width), out = whole.shape, image.astype(np.float32)
    top, left = place(image, height, width, rng)
    here = out[top : top + height, left : left + width]
    here += np.clip(whole, 0, 1)[..., None] * (piece - here)
    return out


def place(image: np.ndarray, height: int, width: int, rng: np.random.Generator) -> list[int]:
    room = (image.shape[0] - height, image.shape[1] - width)
    return [int(rng.integers(0, r + 1)) for r in room]
