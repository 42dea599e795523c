"""A Dataset (contracts.py) that is one function."""

from collections.abc import Callable
from functools import partial, wraps
from typing import NamedTuple


class Reader(NamedTuple):
    """`read(archives)` gives {"train": Images, "test": Images} and the class names."""

    read: Callable


def reader(function: Callable) -> Callable:
    """`build` of a dataset that is one function of its archives, which stand before a slash, and of
    an entry's arguments, the keywords."""
    return wraps(function)(lambda **arguments: Reader(partial(function, **arguments)))
