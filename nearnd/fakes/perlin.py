"""Spots of another image on normal ones, of shapes that Perlin noise has (DRAEM).

Zavrtanik et al. (2021), "DRAEM: A Discriminatively Trained Reconstruction Embedding for Surface
Anomaly Detection", section 3.3; there the other images are textures (DTD), changed by random
augmentations, which are left out. `dataset` of the entry says which images: textures, or normal
ones of one's own.
"""

from dataclasses import dataclass

import numpy as np

from nearnd.fakes._normals import TRIES, each

NEEDS = ["dataset"]
RANGES = {"threshold": (-1, 1)}
TURN = 90  # degrees by which the noise is turned at most, to either side


@dataclass
class Perlin:
    """Fakes (contracts.py), one of each normal image in turn.

    threshold: of the noise, which lies between -1 and 1: what is above is a spot. The authors'.
    opacity: the least and the largest share of the other image in a spot; theirs: 0.2 to 1.
    scales: exponents of 2: the noise has so many cells a side at least and at most, chosen for each
    side; theirs: 0 to 5 of 256 pixels.
    """

    threshold: float = 0.5
    opacity: tuple[float, float] = (0.2, 1.0)
    scales: tuple[int, int] = (0, 5)

    def __post_init__(self):
        for name, values in (("opacity", self.opacity), ("scales", self.scales)):
            if not 0 <= values[0] <= values[1] or (name == "opacity" and values[1] > 1):
                raise ValueError(
                    f"perlin: {name} is {list(values)}, the least and the largest value"
                )

    def draw(
        self, n: int, *, seed: int, normal: np.ndarray, others: np.ndarray
    ) -> tuple[np.ndarray, dict]:
        """n fakes uint8 (n, H, W, C): normal images (N, H, W, C), spots of others (M, H, W, C)."""
        if not len(others):
            raise ValueError(
                "perlin: there are no other images: take another `dataset` in the fakes' entry"
            )

        def one(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
            other = np.asarray(others[rng.integers(len(others))], np.float32)
            spots = spots_of(image.shape[:2], rng, self.threshold, self.scales)[..., None]
            share = rng.uniform(*self.opacity)
            return image + spots * share * (other - image)

        return each(n, seed, normal, one), {}


def spots_of(shape, rng: np.random.Generator, threshold: float, scales) -> np.ndarray:
    """float32 (H, W), 1 in spots and 0 elsewhere; drawn again until there is one, at last where
    the noise is highest: few have values near 1, and none above."""
    for last in reversed(range(10 * TRIES)):
        cells = [2 ** int(rng.integers(scales[0], scales[1] + 1)) for _ in range(2)]
        cells = [min(c, side) for c, side in zip(cells, shape, strict=True)]
        field = turned(noise(shape, cells, rng), rng.uniform(-TURN, TURN))
        spots = field > threshold
        if spots.any():
            break
        if not last:
            spots = field == field.max()
    return spots.astype(np.float32)


def noise(shape, cells, rng: np.random.Generator) -> np.ndarray:
    """Perlin's noise (H, W): smooth, 0 at the corners of its cells, within about -1 and 1.

    At each corner stands a random unit vector; a place has the mean, by the smoothed distances from
    the four corners around it, of the products of their vectors and the way from them to it, times
    the square root of 2 (Perlin 2002).
    """
    angle = rng.uniform(0, 2 * np.pi, (cells[0] + 1, cells[1] + 1))
    ways = np.stack([np.sin(angle), np.cos(angle)])  # (2, h + 1, w + 1)
    at = [(np.arange(side) + 0.5) / side * c for side, c in zip(shape, cells, strict=True)]
    y, x = np.meshgrid(*at, indexing="ij")  # (H, W), in cells
    row, column = y.astype(int), x.astype(int)
    v, u = y - row, x - column
    smooth = [t**3 * (t * (6 * t - 15) + 10) for t in (v, u)]
    total = np.zeros(shape)
    for down in (0, 1):
        for right in (0, 1):
            way = ways[:, row + down, column + right]  # (2, H, W)
            weight = (smooth[0] if down else 1 - smooth[0]) * (
                smooth[1] if right else 1 - smooth[1]
            )
            total += weight * (way[0] * (v - down) + way[1] * (u - right))
    return np.sqrt(2) * total


def turned(field: np.ndarray, angle: float) -> np.ndarray:
    """By some degrees, mirrored at its border."""
    from scipy.ndimage import rotate

    return rotate(field, angle, reshape=False, order=1, mode="mirror")


build = Perlin
