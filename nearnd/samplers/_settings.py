"""Whether the settings of a sampler are numbers and words that it can work with."""

from collections.abc import Sequence
from typing import Any


def whole(kind: str, **settings: Any) -> None:
    """ValueError if one is not a whole number from 1."""
    for name, value in settings.items():
        good = isinstance(value, int) and not isinstance(value, bool) and value >= 1
        _refuse(good, kind, name, value, "a whole number from 1")


def number(kind: str, **settings: Any) -> None:
    """ValueError if one is not a finite number from 0."""
    for name, value in settings.items():
        good = isinstance(value, int | float) and not isinstance(value, bool)
        _refuse(good and 0 <= value < float("inf"), kind, name, value, "a number from 0")


def switch(kind: str, **settings: Any) -> None:
    """ValueError if one is neither true nor false."""
    for name, value in settings.items():
        _refuse(isinstance(value, bool), kind, name, value, "true or false")


def word(kind: str, known: Sequence[str], **settings: Any) -> None:
    """ValueError if one is not among the known ones."""
    for name, value in settings.items():
        _refuse(value in known, kind, name, value, f"one of {', '.join(known)}")


def _refuse(good: bool, kind: str, name: str, value: Any, known: str) -> None:
    if not good:
        raise ValueError(f"sampler: kind {kind}: {name} is {value!r}; it may be {known}")


def together(kind: str, what: str, other: str, value: Any, known: Sequence[Any]) -> None:
    """ValueError if `what` does not go with the value of the setting `other`."""
    if value not in known:
        raise ValueError(
            f"sampler: kind {kind}: {what} does not go with {other}: {_yaml(value)}; it goes with"
            f" {other}: {' or '.join(map(_yaml, known))}"
        )


def _yaml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
