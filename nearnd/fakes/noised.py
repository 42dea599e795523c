"""Normal images that are noised up to a level and drawn back by an early-stopped generator.

The same network as that of `sampled`, but a fake keeps what the noise leaves of its image: with
little noise its form, with much nothing, where it is a fake of `sampled`. Meng et al. (2022),
"SDEdit", ICLR, from a normal image in place of a drawing. A fake costs the share of the sampler's
steps that lie below the level.
"""

from dataclasses import dataclass

import numpy as np

from nearnd.fakes._normals import in_turn
from nearnd.fakes.sampled import Sampled, check  # noqa: F401 (of this kind too)

NEEDS = ["generator"]
TOY = {"stop": {"step": 8}, "strength": 0.3}
LABEL = "noised"
RANGES = {"strength": (0.0, 1000)}


@dataclass
class Noised(Sampled):
    """As `Sampled`; the stop, the levels and what they read are those of its snapshots.

    strength: the standard deviation of the noise, of pixels in [0, 1].
    """

    strength: float = 0.5

    way = "noised"

    def draw(
        self, n: int, *, seed: int, normal: np.ndarray, noised, snapshots: str, fidelity: list[dict]
    ) -> tuple[np.ndarray, dict]:
        """n fakes uint8 (n, H, W, C), each of a normal image (N, H, W, C), all in turn in an order
        that the seed says; and facts. noised: (snapshot file, seeds, images, strength) -> images,
        the rest as of `Sampled`."""
        which = in_turn(n, len(normal), seed)  # (n,)
        fakes, facts = self.from_snapshots(
            n, seed, normal, snapshots, fidelity,
            lambda file, seeds, rows: noised(file, seeds, normal[which[rows]], self.strength),
        )  # fmt: skip
        return fakes, facts | {"strength": self.strength}


build = Noised
