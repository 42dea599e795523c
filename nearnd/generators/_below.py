"""Sampling that goes out from noised images in place of noise alone."""

from collections.abc import Callable
from typing import Any

from torch import Tensor


class Below:
    """An SDE (_sde.py) as a sampler sees it that starts at the noise level `highest`."""

    def __init__(self, sde: Any, strength: float):
        """strength: the deviation of the noise, of pixels in [0, 1]; a discrete network takes the
        nearest of its levels. ValueError if it has none there."""
        low, high = sde.noise_range()
        scale = 2 if sde.centered else 1  # of the SDE's range to that of pixels
        if not low < scale * strength <= high:
            raise ValueError(
                f"strength is {strength:g}; this generator's noise goes from {low / scale:.3g} to"
                f" {high / scale:.3g}, of pixels in [0, 1]: set another one in the entry of fakes"
            )
        self._sde, self.highest = sde, sde.nearest(scale * strength)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sde, name)

    def noise_range(self) -> tuple[float, float]:
        return self._sde.noise_range()[0], self.highest

    @property
    def prior_std(self) -> float:
        raise ValueError(
            "this sampler goes out from noise alone; noised images need one in steps of the noise"
            " level in the generator's entry, such as that of ve_cifar32 (catalog/generators.yaml)"
        )


def on(noise: Callable[[], Tensor], images: Tensor, highest: float) -> Callable[[], Tensor]:
    """The draws of `noise`, the first with images (N, C, H, W): highest times it is x + sigma z."""
    first = [images / highest]

    def draw() -> Tensor:
        z = noise()
        return z + first.pop() if first else z  # (N, C, H, W)

    return draw
