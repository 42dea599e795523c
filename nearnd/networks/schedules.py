"""By what a learning rate is multiplied at each step."""

import math
from collections.abc import Callable, Sequence


def cosine(steps: int, least: float = 0.0) -> Callable[[int], float]:
    """From 1 down to `least` after so many steps, as half a wave."""
    return lambda step: least + (1 - least) * (0.5 + 0.5 * math.cos(math.pi * step / steps))


def warmed(rise: int, then: Callable[[int], float], first: float = 0.1) -> Callable[[int], float]:
    """From `first` evenly up to 1 in `rise` steps, and `then`, which begins at 0 there."""
    return lambda step: first + (1 - first) * step / rise if step < rise else then(step - rise)


def tenths(milestones: Sequence[int], n: int, batch: int) -> Callable[[int], float]:
    """A tenth after each milestone, in epochs of n images."""
    return lambda step: 0.1 ** sum(step * batch >= epoch * n for epoch in milestones)
