"""Whether the settings of a sampler go together."""

from collections.abc import Sequence
from typing import Any


def together(kind: str, what: str, other: str, value: Any, known: Sequence[Any]) -> None:
    """ValueError if `what` does not go with the value of the setting `other`."""
    if value not in known:
        raise ValueError(
            f"sampler: kind {kind}: {what} does not go with {other}: {_yaml(value)}; it goes with"
            f" {other}: {' or '.join(map(_yaml, known))}"
        )


def _yaml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
