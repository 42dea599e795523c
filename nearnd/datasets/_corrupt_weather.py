"""Weather-like: each takes an image (H, W, C) in [0, 1], a strength and a generator.

CIFAR-10-C's frost is made with photographs of ice; there is none here.
"""

import numpy as np


def brightness(x: np.ndarray, more: float, rng: np.random.Generator) -> np.ndarray:
    """The largest channel of each pixel grows by `more` (up to 1); hue and saturation stay."""
    value = x.max(-1, keepdims=True)  # (H, W, 1)
    brighter = np.minimum(value + more, 1.0)
    return np.where(value > 0, x * brighter / np.where(value > 0, value, 1.0), brighter)


def fog(x: np.ndarray, density: float, rng: np.random.Generator) -> np.ndarray:
    """White haze in clouds: a share of each pixel, `density` on average, becomes 90 % white."""
    clouds = _clouds(x.shape[:2], 1.5, rng)[..., None]  # (H, W, 1)
    share = np.clip(density * (0.5 + clouds), 0.0, 1.0)
    return x * (1.0 - share) + 0.9 * share


def snow(x: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Flakes on `share` of the pixels, smeared along one direction of fall, over a paler image."""
    from nearnd.datasets._corrupt_blur import motion_blur

    flakes = (rng.random((*x.shape[:2], 1)) < share) * rng.uniform(0.5, 1.0, (*x.shape[:2], 1))
    falling = motion_blur(flakes.transpose(1, 0, 2), 0.75, rng).transpose(1, 0, 2)  # from above
    pale = x + share * (1.0 - x)
    return np.maximum(pale, np.minimum(2.0 * falling, 1.0))


def spatter(x: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Drops of muddy water hide `share` of the image; they are round and have soft edges."""
    from scipy.ndimage import gaussian_filter

    height = gaussian_filter(rng.normal(size=x.shape[:2]), 1.5)
    edge = np.quantile(height, 1.0 - share)
    cover = np.clip((height - edge) / (0.2 * height.std()) + 0.5, 0.0, 1.0)[..., None]  # (H, W, 1)
    return x * (1.0 - cover) + 0.45 * cover


def _clouds(shape: tuple[int, int], decay: float, rng: np.random.Generator) -> np.ndarray:
    """A smooth random field (H, W) from 0 to 1: noise whose amplitude falls as frequency^-decay."""
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None])
    frequency[0, 0] = np.inf  # no constant part
    field = np.fft.irfft2(np.fft.rfft2(rng.normal(size=shape)) * frequency**-decay, s=shape)
    return (field - field.min()) / (field.max() - field.min())
