"""How many inputs a fuzz test tries: the same ones in `make test`, fresh and many more in `make
test-faults`."""

from __future__ import annotations

from _stages import REPEATS
from hypothesis import HealthCheck, Phase, settings

MANY = REPEATS > 1


def inputs(few: int):
    """A decorator: `few` inputs, 20 times as many with NEARND_FAULTS=20."""
    return settings(
        max_examples=few * REPEATS,
        deadline=None,
        derandomize=not MANY,
        database=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
