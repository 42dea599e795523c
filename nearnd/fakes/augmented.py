"""Normal images after a hard augmentation: a turn, swapped halves, a cut, a mixture (UNODE).

What UNODE contrasts normal images with, here as fakes of a two-way classifier. Nothing is trained.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nearnd.fakes._normals import each

NEEDS = []
RANGES = {"most": (1, 100)}


@dataclass
class Augmented:
    """Fakes (contracts.py), one of each normal image in turn.

    augmentations: names of networks/hard.py that need no outliers; which one is drawn, all alike.
    most: the largest number of them, one after the other, on an image.
    """

    augmentations: Sequence[str] = ("rotation", "permute", "cutout", "cutpaste", "mixup")
    most: int = 1

    def draw(self, n: int, *, seed: int, normal: np.ndarray) -> tuple[np.ndarray, dict]:
        """n fakes uint8 (n, H, H, C) of the normal images (N, H, H, C), and facts.

        ValueError if an augmentation is not known, or if images are not square.
        """
        import torch

        from nearnd.networks.augment import as_tensor
        from nearnd.networks.hard import FROM_OUTLIERS, HARD, Beside, hardened

        known = sorted(set(HARD) - set(FROM_OUTLIERS))
        if odd := [name for name in self.augmentations if name not in known]:
            raise ValueError(
                f"augmented: augmentations names {odd[0]!r}; there is {', '.join(known)}: change"
                " it in the entry of the fakes"
            )
        if normal.shape[1] != normal.shape[2]:
            raise ValueError(f"augmented: images are {normal.shape[1:3]}, a turn takes square ones")
        weights = [1.0] * len(self.augmentations)

        def one(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
            torch.manual_seed(int(rng.integers(2**63)))
            other = normal[rng.integers(len(normal))]
            x, beside = as_tensor(image[None]), Beside(as_tensor(other[None]))  # (1, C, H, H)
            x = hardened(x, beside, self.augmentations, weights, self.most)
            return 255 * x[0].permute(1, 2, 0).numpy()  # (H, H, C)

        with torch.random.fork_rng(devices=[]):
            fakes = each(n, seed, normal, one)
        return fakes, {"augmentations": "+".join(self.augmentations)}


build = Augmented
