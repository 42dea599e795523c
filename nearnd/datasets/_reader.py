"""A Dataset (contracts.py) that is one function."""

from collections.abc import Callable
from typing import NamedTuple


class Reader(NamedTuple):
    """`read(archives)` gives {"train": Images, "test": Images} and the class names."""

    read: Callable
