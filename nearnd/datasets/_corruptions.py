"""Every corruption by name, with its five strengths, for small images (28 to 64 pixels).

Where the authors of CIFAR-10-C publish one number for each severity at 32 pixels (Hendrycks and
Dietterich 2019, the script make_cifar_c), it is taken; the others are ours and marked so.
ImageNet-C has far stronger ones, for larger images. All corruptions are written anew, so images
differ from CIFAR-10-C's: compare trends, not numbers.
"""

import numpy as np

from nearnd.datasets import _corrupt_blur as blur
from nearnd.datasets import _corrupt_digital as digital
from nearnd.datasets import _corrupt_geometry as geometry
from nearnd.datasets import _corrupt_noise as noise
from nearnd.datasets import _corrupt_weather as weather

SEVERITIES = [1, 2, 3, 4, 5]
CORRUPTIONS = {
    # noise
    "gaussian_noise": (noise.gaussian_noise, (0.04, 0.06, 0.08, 0.09, 0.10)),
    "shot_noise": (noise.shot_noise, (500, 250, 100, 75, 50)),
    "impulse_noise": (noise.impulse_noise, (0.01, 0.02, 0.03, 0.05, 0.07)),
    "speckle_noise": (noise.speckle_noise, (0.06, 0.10, 0.12, 0.16, 0.20)),
    # blur
    "gaussian_blur": (blur.gaussian_blur, (0.4, 0.6, 0.7, 0.8, 1.0)),
    "defocus_blur": (blur.defocus_blur, (0.75, 1.0, 1.25, 1.5, 2.0)),  # ours
    "glass_blur": (blur.glass_blur, ((0.1, 1), (0.3, 1), (0.6, 1), (0.6, 2), (1.0, 2))),  # ours
    "motion_blur": (blur.motion_blur, (1.0, 1.5, 2.0, 2.5, 3.0)),  # ours
    "zoom_blur": (blur.zoom_blur, (1.05, 1.10, 1.15, 1.20, 1.25)),
    # weather
    "brightness": (weather.brightness, (0.05, 0.10, 0.15, 0.20, 0.30)),
    "fog": (weather.fog, (0.2, 0.35, 0.5, 0.65, 0.8)),  # ours
    "snow": (weather.snow, (0.02, 0.04, 0.07, 0.10, 0.15)),  # ours
    "spatter": (weather.spatter, (0.03, 0.06, 0.10, 0.15, 0.20)),  # ours
    # digital
    "contrast": (digital.contrast, (0.75, 0.50, 0.40, 0.30, 0.15)),
    "saturate": (digital.saturate, (1.5, 2.0, 2.5, 3.0, 4.0)),  # ours: upwards only
    "pixelate": (digital.pixelate, (0.95, 0.90, 0.85, 0.75, 0.65)),
    "jpeg_compression": (digital.jpeg_compression, (80, 65, 58, 50, 40)),
    # geometry
    "elastic_transform": (geometry.elastic_transform, (0.5, 0.75, 1.0, 1.25, 1.5)),  # ours
    "rotate": (geometry.rotate, (5, 10, 15, 20, 30)),  # ours
    "scale": (geometry.scale, (0.9, 0.8, 0.7, 0.6, 0.5)),  # ours
    "shear": (geometry.shear, (0.1, 0.2, 0.3, 0.4, 0.5)),  # ours
    "translate": (geometry.translate, (0.05, 0.10, 0.15, 0.20, 0.25)),  # ours
}


def corrupt(image: np.ndarray, name: str, severity: int, rng: np.random.Generator) -> np.ndarray:
    """uint8 (H, W, C) to the same shape; C = 1 or 3. `severity` is 1 to 5."""
    function, strengths = CORRUPTIONS[name]
    changed = function(image / 255.0, strengths[severity - 1], rng)  # (H, W, C), 0 black to 1 white
    return np.round(np.clip(changed, 0.0, 1.0) * 255).astype(np.uint8)
