"""Another dataset's training images as outliers (outlier exposure).

`images`, `classes` and `blur` vary what the outliers have to say, as RETH's studies of the size,
the diversity and the scales of an exposure set do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NEEDS = ["dataset"]
CHUNK = 1024  # images that are blurred at a time


@dataclass
class Exposure:
    """Fakes (contracts.py); the entry's `dataset` says which images.

    images: so many different ones, chosen by the seed (None: all). The detector gets as many
    outliers as `ratio` asks for, so few images come often.
    classes: so many classes, chosen by the seed, or their names (None: all).
    blur: standard deviation in pixels of the stored images of a Gaussian filter, outliers only.
    """

    images: int | None = None
    classes: int | Sequence[str] | None = None
    blur: float = 0.0

    def __post_init__(self):
        images, classes, blur = self.images, self.classes, self.blur
        if not (images is None or (isinstance(images, int) and images > 0)):
            raise ValueError(
                f"exposure: images is {images}, it must be a number above 0, or nothing"
            )
        if classes is not None and not (classes > 0 if isinstance(classes, int) else len(classes)):
            raise ValueError(
                f"exposure: classes is {classes}, it must be a number above 0, names, or nothing"
            )
        if blur < 0:
            raise ValueError(f"exposure: blur is {blur}, it must not be below 0")

    def draw(
        self, n: int, *, seed: int, normal: np.ndarray, others: np.ndarray, names=None
    ) -> tuple[np.ndarray, dict]:
        """n outliers (n, H, W, C) out of the others (M, H, W, C), each as often as any other one.

        names  the others' class names (M,), or None
        The facts say how many different images and classes these are. ValueError if the others
        have not as many images or classes, or not these.
        """
        rng = np.random.default_rng(seed)
        there = self._of_classes(np.random.default_rng(seed), names, len(others))
        if not len(there):
            raise ValueError(
                "exposure: there are no outliers to choose from: take another `dataset` in the"
                " entry of the fakes"
            )
        if self.images is not None:
            if self.images > len(there):
                raise ValueError(f"exposure: images is {self.images}, there are {len(there)}")
            there = np.sort(np.random.default_rng(seed).permutation(there)[: self.images])
        rounds = [rng.permutation(len(there)) for _ in range(-(-n // len(there)))]
        rows = there[np.sort(np.concatenate(rounds)[:n])]
        facts = {"outlier_images": len(np.unique(rows))}
        if names is not None:
            facts["outlier_classes"] = len(np.unique(np.asarray(names)[rows]))
        return blurred(others[rows], self.blur), facts

    def _of_classes(self, rng, names: np.ndarray | None, n: int) -> np.ndarray:
        """The rows of the chosen classes."""
        if self.classes is None:
            return np.arange(n)
        if names is None:
            raise ValueError("exposure: classes needs the class names of the images")
        known = sorted(set(np.asarray(names).tolist()))
        if isinstance(self.classes, int):
            if self.classes > len(known):
                raise ValueError(f"exposure: classes is {self.classes}, there are {len(known)}")
            # the first of one order for each seed: with more classes come others, none goes
            chosen = [known[i] for i in rng.permutation(len(known))[: self.classes]]
        else:
            chosen = list(self.classes)
            if absent := sorted(set(chosen) - set(known)):
                raise ValueError(f"exposure: there are no classes {absent}, only {known}")
        return np.flatnonzero(np.isin(names, chosen))


def blurred(images: np.ndarray, sigma: float) -> np.ndarray:
    """uint8 (N, H, W, C) after a Gaussian of `sigma` pixels, edges mirrored; 0 changes nothing."""
    images = np.asarray(images)
    if sigma == 0:
        return images
    from scipy.ndimage import gaussian_filter

    out = np.empty_like(images)
    for i in range(0, len(images), CHUNK):
        part = images[i : i + CHUNK].astype(np.float32)  # (n, H, W, C)
        out[i : i + CHUNK] = np.rint(gaussian_filter(part, (0, sigma, sigma, 0)))
    return out


build = Exposure
