"""What snakemake asks of itself for each job, though it depends on the rule alone, asked once.

The parameters of every function of a rule, 20 times a job. Where snakemake has that function no
more, nothing changes.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any


def take_over() -> None:
    """Puts what remembers in the place of snakemake's functions."""
    from snakemake import common, rules

    if known := getattr(common, "get_function_params", None):
        common.get_function_params = rules.get_function_params = by_function(known)


def by_function(parameters: Callable[[Callable], Any]) -> Callable[[Callable], Any]:
    """Remembers the parameters of functions, and of methods, by the function behind them."""
    known: dict[tuple[Any, bool], Any] = {}

    @wraps(parameters)
    def remembered(function: Callable) -> Any:
        plain = getattr(function, "__func__", function)
        key = plain, plain is function
        try:
            if key not in known:
                known[key] = parameters(function)
            return known[key]
        except TypeError:  # an object that cannot be a key
            return parameters(function)

    return remembered
