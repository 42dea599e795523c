"""Images drawn by the score of the normal images themselves, smoothed: nothing is trained.

The score of noised training images is known in closed form, but it draws these images again.
Averaged over points that are moved at random it no longer decides for one of them, and what it
draws are blends of images that are near each other. Scarvelis, Sáez de Ocáriz Borde and Solomon
(2023), "Closed-Form Diffusion Models", eq. 7 (their sigma is `smoothing`), in steps of the noise
level in place of their rectified flow, with all training images in place of a nearest-neighbour
index.
"""

from dataclasses import dataclass

import numpy as np

from nearnd.jobs.neighbours import nearest
from nearnd.jobs.seeds import image_seeds

NEEDS = []
TOY = {"steps": 6, "moves": 4, "smoothing": 2.0}
LABEL = "smoothed"
RANGES = {"smoothing": (0.0, 100), "steps": (2, 10_000), "moves": (1, 10_000)}
BATCH = 32  # images that are drawn at a time
LAST = 0.02  # the last noise level, of pixels in [0, 1]


@dataclass
class Smoothed:
    """Fakes (contracts.py), each drawn from noise of its own.

    smoothing: the deviation of the moves in each direction, in units of the usual distance from an
    image to the nearest other one; 0 gives copies of training images.
    moves: points that are averaged. steps: noise levels, from the largest distance to `LAST`.
    """

    smoothing: float = 0.25
    moves: int = 8
    steps: int = 20

    def draw(self, n: int, *, seed: int, normal: np.ndarray) -> tuple[np.ndarray, dict]:
        """n fakes uint8 (n, H, W, C) of the normal images (N, H, W, C), and facts."""
        if not len(normal):
            raise ValueError("smoothed: there are no normal images")
        shape, seeds = normal.shape[1:], image_seeds(seed, n)
        bank = normal.reshape(len(normal), -1).astype(np.float32) / 255  # (N, D)
        middle = bank.mean(axis=0)
        bank -= middle
        squared = np.einsum("nd,nd->n", bank, bank)  # (N,)
        high = max(2 * float(np.sqrt(squared.max())), 2 * LAST)
        width = np.float32(self.smoothing * usual(bank))
        levels = np.geomspace(high, LAST, self.steps)
        out = np.empty((n, *shape), np.uint8)
        for start in range(0, n, BATCH):
            rows = slice(start, start + BATCH)
            streams = [np.random.default_rng(int(s)) for s in seeds[rows]]
            x = levels[0] * _normal(streams, (bank.shape[1],))  # (n, D)
            for sigma, then in zip(levels, [*levels[1:], 0.0], strict=True):
                d = self._denoised(x, sigma, width, bank, squared, streams)  # (n, D)
                x = d + (then / sigma) * (x - d)
            pixels = np.clip(np.round(255 * (x + middle)), 0, 255)
            out[rows] = pixels.reshape(-1, *shape)
        return out, {"smoothing": self.smoothing}

    def _denoised(self, x, sigma: float, width: float, bank, squared, streams) -> np.ndarray:
        """The smoothed E[x_0 | x], float32 (n, D): the mean over the moves of the training images
        (N, D), weighted by how likely each is behind the moved point."""
        from scipy.special import softmax

        moved = x[:, None] + width * _normal(streams, (self.moves, x.shape[1]))  # (n, M, D)
        products = moved.reshape(-1, x.shape[1]) @ bank.T  # (n M, N)
        weights = softmax((products - squared / 2) / sigma**2, axis=1)  # |x|^2 cancels
        mean = weights.reshape(len(x), self.moves, -1).mean(axis=1)  # (n, N)
        return mean.astype(np.float32) @ bank  # (n, D)


def usual(bank: np.ndarray) -> float:
    """The median distance from an image (N, D) to the nearest other one; 0 for a single one."""
    if len(bank) < 2:
        return 0.0
    return float(np.sqrt(np.median(nearest(bank, bank, 2)[0][:, 1])))


def _normal(streams: list[np.random.Generator], shape: tuple[int, ...]) -> np.ndarray:
    """float32 (n, *shape), row i from stream i."""
    return np.stack([stream.standard_normal(shape, dtype=np.float32) for stream in streams])


build = Smoothed
