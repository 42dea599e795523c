"""Digital: each takes an image (H, W, C) in [0, 1], a strength and a generator."""

import io

import numpy as np


def contrast(x: np.ndarray, factor: float, rng: np.random.Generator) -> np.ndarray:
    """The distance from the mean of each channel times `factor`."""
    mean = x.mean((0, 1))
    return mean + factor * (x - mean)


def saturate(x: np.ndarray, factor: float, rng: np.random.Generator) -> np.ndarray:
    """HSV saturation times `factor` (up to 1); nothing happens to grey."""
    value = x.max(-1, keepdims=True)  # (H, W, 1)
    away = value - x
    most = away.max(-1, keepdims=True)
    room = np.where(most > 0, value / np.where(most > 0, most, 1.0), 1.0)  # 1 / saturation
    return value - away * np.minimum(factor, room)


def pixelate(x: np.ndarray, factor: float, rng: np.random.Generator) -> np.ndarray:
    """To `factor` of the side length and back, each time by areas."""
    from PIL import Image

    image = _picture(x)
    small = [max(1, round(side * factor)) for side in image.size]
    small = image.resize(small, Image.Resampling.BOX)
    return _values(small.resize(image.size, Image.Resampling.BOX), x.shape)


def jpeg_compression(x: np.ndarray, quality: int, rng: np.random.Generator) -> np.ndarray:
    """Saved as a JPEG of that `quality` (1 to 95) and opened again."""
    from PIL import Image

    file = io.BytesIO()
    _picture(x).save(file, "JPEG", quality=quality)
    with Image.open(file) as image:
        return _values(image, x.shape)


def _picture(x: np.ndarray):
    from PIL import Image

    pixels = np.round(x * 255).astype(np.uint8)
    return Image.fromarray(pixels[..., 0] if x.shape[-1] == 1 else pixels)


def _values(image, shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(image).reshape(shape) / 255.0
