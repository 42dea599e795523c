"""Every corruption by name, with its five strengths, for small images (28 to 64 pixels).

Where the authors of CIFAR-10-C publish one number for each severity at 32 pixels (Hendrycks and
Dietterich 2019, the script make_cifar_c), it is taken; the others are ours and marked so.
ImageNet-C has far stronger ones, for larger images. All corruptions are written anew, so images
differ from CIFAR-10-C's: compare trends, not numbers. Its frost is made with photographs of ice;
there is none here.

Each function takes an image (H, W, C) in [0, 1], a strength and a generator.
"""

import io

import numpy as np
from PIL import Image


def _ndimage():
    """SciPy's, loaded where an image is changed and not where a run is planned."""
    from scipy import ndimage

    return ndimage


# ---- noise ----


def gaussian_noise(x: np.ndarray, sd: float, rng: np.random.Generator) -> np.ndarray:
    """Added to every value, with standard deviation `sd`."""
    return x + rng.normal(0.0, sd, x.shape)


def shot_noise(x: np.ndarray, photons: float, rng: np.random.Generator) -> np.ndarray:
    """Poisson counts, `photons` of them for white."""
    return rng.poisson(x * photons) / photons


def impulse_noise(x: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """`share` of all values become 0 or 1, with equal chance."""
    draw = rng.random(x.shape)
    return np.where(draw < share / 2, 0.0, np.where(draw < share, 1.0, x))


def speckle_noise(x: np.ndarray, sd: float, rng: np.random.Generator) -> np.ndarray:
    """Every value is multiplied by 1 + noise of standard deviation `sd`."""
    return x * (1.0 + rng.normal(0.0, sd, x.shape))


# ---- blur ----


def gaussian_blur(x: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """`sigma` in pixels."""
    return _ndimage().gaussian_filter(x, (sigma, sigma, 0))


def defocus_blur(x: np.ndarray, radius: float, rng: np.random.Generator) -> np.ndarray:
    """A disc of `radius` pixels with a soft rim: a lens out of focus."""
    reach = int(np.ceil(radius))
    distance = np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1])
    return _filtered(x, np.clip(radius + 0.5 - distance, 0.0, 1.0))


def glass_blur(x: np.ndarray, strength: tuple, rng: np.random.Generator) -> np.ndarray:
    """(share, reach): that share of pixels shows one at most `reach` pixels away; a slight blur."""
    share, reach = strength
    h, w, _ = x.shape
    step = rng.integers(-reach, reach + 1, (2, h, w)) * (rng.random((h, w)) < share)
    row, column = np.mgrid[:h, :w] + step
    return gaussian_blur(x[row.clip(0, h - 1), column.clip(0, w - 1)], 0.4, rng)


def motion_blur(x: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """A trail that fades over `sigma` pixels, at most 45 degrees from the horizontal."""
    reach = int(np.ceil(3 * sigma))
    angle = rng.uniform(-np.pi / 4, np.pi / 4)
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    for t in np.arange(0.0, reach, 0.25):  # much finer than a pixel
        row, column = t * np.sin(angle), t * np.cos(angle)
        at = reach + round(row), reach + round(column)
        kernel[at] += np.exp(-0.5 * (t / sigma) ** 2)
    return _filtered(x, kernel)


def zoom_blur(x: np.ndarray, most: float, rng: np.random.Generator) -> np.ndarray:
    """The mean of the image and of itself zoomed in, up to `most` times."""
    centre, total = (np.array(x.shape[:2]) - 1) / 2, x.copy()
    zooms = np.arange(1.01, most + 0.005, 0.01)
    for zoom in zooms:
        matrix = np.array([1 / zoom, 1 / zoom, 1.0])
        offset = np.append(centre - centre / zoom, 0.0)
        total += _ndimage().affine_transform(x, matrix, offset, order=1, mode="nearest")
    return total / (len(zooms) + 1)


def _filtered(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    return _ndimage().convolve(x, (kernel / kernel.sum())[..., None], mode="nearest")


# ---- weather ----


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
    flakes = (rng.random((*x.shape[:2], 1)) < share) * rng.uniform(0.5, 1.0, (*x.shape[:2], 1))
    falling = motion_blur(flakes.transpose(1, 0, 2), 0.75, rng).transpose(1, 0, 2)  # from above
    pale = x + share * (1.0 - x)
    return np.maximum(pale, np.minimum(2.0 * falling, 1.0))


def spatter(x: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Drops of muddy water hide `share` of the image; they are round and have soft edges."""
    height = _ndimage().gaussian_filter(rng.normal(size=x.shape[:2]), 1.5)
    edge = np.quantile(height, 1.0 - share)
    cover = np.clip((height - edge) / (0.2 * height.std()) + 0.5, 0.0, 1.0)[..., None]  # (H, W, 1)
    return x * (1.0 - cover) + 0.45 * cover


def _clouds(shape: tuple[int, int], decay: float, rng: np.random.Generator) -> np.ndarray:
    """A smooth random field (H, W) from 0 to 1: noise whose amplitude falls as frequency^-decay."""
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None])
    frequency[0, 0] = np.inf  # no constant part
    field = np.fft.irfft2(np.fft.rfft2(rng.normal(size=shape)) * frequency**-decay, s=shape)
    return (field - field.min()) / (field.max() - field.min())


# ---- digital ----


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
    image = _picture(x)
    small = [max(1, round(side * factor)) for side in image.size]
    small = image.resize(small, Image.Resampling.BOX)
    return _values(small.resize(image.size, Image.Resampling.BOX), x.shape)


def jpeg_compression(x: np.ndarray, quality: int, rng: np.random.Generator) -> np.ndarray:
    """Saved as a JPEG of that `quality` (1 to 95) and opened again."""
    file = io.BytesIO()
    _picture(x).save(file, "JPEG", quality=quality)
    with Image.open(file) as image:
        return _values(image, x.shape)


def _picture(x: np.ndarray):
    pixels = np.round(x * 255).astype(np.uint8)
    return Image.fromarray(pixels[..., 0] if x.shape[-1] == 1 else pixels)


def _values(image, shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(image).reshape(shape) / 255.0


# ---- geometry: what comes into view at the border repeats the border ----


def elastic_transform(x: np.ndarray, rms: float, rng: np.random.Generator) -> np.ndarray:
    """Every pixel moves along a smooth random field, `rms` pixels on average along each axis."""
    h, w, c = x.shape
    field = np.stack([_ndimage().gaussian_filter(rng.normal(size=(h, w)), 3.0) for _ in range(2)])
    field *= rms / np.sqrt((field**2).mean((1, 2), keepdims=True))  # (2, H, W)
    at = np.mgrid[:h, :w] + field
    planes = [_ndimage().map_coordinates(x[..., i], at, order=1, mode="nearest") for i in range(c)]
    return np.stack(planes, -1)


def rotate(x: np.ndarray, degrees: float, rng: np.random.Generator) -> np.ndarray:
    """About the centre, to either side."""
    angle = np.radians(degrees) * rng.choice([-1, 1])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return _mapped(x, turn)


def scale(x: np.ndarray, factor: float, rng: np.random.Generator) -> np.ndarray:
    """The content shrinks to `factor` of its size, about the centre."""
    return _mapped(x, np.eye(2) / factor)


def shear(x: np.ndarray, slope: float, rng: np.random.Generator) -> np.ndarray:
    """Rows move sideways by `slope` pixels for each row from the middle, to either side."""
    return _mapped(x, np.array([[1.0, 0.0], [slope * rng.choice([-1, 1]), 1.0]]))


def translate(x: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """By `share` of the side length along both axes, each to either side."""
    return _mapped(x, np.eye(2), share * np.array(x.shape[:2]) * rng.choice([-1, 1], 2))


def _mapped(x: np.ndarray, matrix: np.ndarray, shift: np.ndarray | float = 0.0) -> np.ndarray:
    """The pixel at p shows what was at matrix (p - centre) + centre + shift."""
    centre = (np.array(x.shape[:2]) - 1) / 2
    offset = centre - matrix @ centre + shift
    planes = [
        _ndimage().affine_transform(x[..., i], matrix, offset, order=1, mode="nearest")
        for i in range(x.shape[-1])
    ]
    return np.stack(planes, -1)


STRENGTHS = {  # of severities 1 to 5
    # noise
    gaussian_noise: (0.04, 0.06, 0.08, 0.09, 0.10),
    shot_noise: (500, 250, 100, 75, 50),
    impulse_noise: (0.01, 0.02, 0.03, 0.05, 0.07),
    speckle_noise: (0.06, 0.10, 0.12, 0.16, 0.20),
    # blur
    gaussian_blur: (0.4, 0.6, 0.7, 0.8, 1.0),
    defocus_blur: (0.75, 1.0, 1.25, 1.5, 2.0),  # ours
    glass_blur: ((0.1, 1), (0.3, 1), (0.6, 1), (0.6, 2), (1.0, 2)),  # ours
    motion_blur: (1.0, 1.5, 2.0, 2.5, 3.0),  # ours
    zoom_blur: (1.05, 1.10, 1.15, 1.20, 1.25),
    # weather
    brightness: (0.05, 0.10, 0.15, 0.20, 0.30),
    fog: (0.2, 0.35, 0.5, 0.65, 0.8),  # ours
    snow: (0.02, 0.04, 0.07, 0.10, 0.15),  # ours
    spatter: (0.03, 0.06, 0.10, 0.15, 0.20),  # ours
    # digital
    contrast: (0.75, 0.50, 0.40, 0.30, 0.15),
    saturate: (1.5, 2.0, 2.5, 3.0, 4.0),  # ours: upwards only
    pixelate: (0.95, 0.90, 0.85, 0.75, 0.65),
    jpeg_compression: (80, 65, 58, 50, 40),
    # geometry
    elastic_transform: (0.5, 0.75, 1.0, 1.25, 1.5),  # ours
    rotate: (5, 10, 15, 20, 30),  # ours
    scale: (0.9, 0.8, 0.7, 0.6, 0.5),  # ours
    shear: (0.1, 0.2, 0.3, 0.4, 0.5),  # ours
    translate: (0.05, 0.10, 0.15, 0.20, 0.25),  # ours
}
CORRUPTIONS = {function.__name__: function for function in STRENGTHS}


def corrupt(image: np.ndarray, name: str, severity: int, rng: np.random.Generator) -> np.ndarray:
    """uint8 (H, W, C) to the same shape; C = 1 or 3. `severity` is 1 to 5."""
    function = CORRUPTIONS[name]
    changed = function(image / 255.0, STRENGTHS[function][severity - 1], rng)  # 0 black, 1 white
    return np.round(np.clip(changed, 0.0, 1.0) * 255).astype(np.uint8)
