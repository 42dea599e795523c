"""What snakemake asks of itself for each job, though it depends on the rule alone, asked once.

A fifth of the planning of a large graph: the parameters of every function of a rule (20 times a
job), and whether its script is there. Where snakemake has these functions no more, nothing changes.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any


def take_over() -> None:
    """Puts what remembers in the place of snakemake's functions."""
    from snakemake import common, dag, rules

    if known := getattr(common, "get_function_params", None):
        common.get_function_params = rules.get_function_params = by_function(known)
    if processor := getattr(dag, "ScriptProcessor", None):
        processor.process_job = by_rule(processor.process_job)


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


def by_rule(process: Callable) -> Callable:
    """Looks at the first job of each rule: none of our paths of scripts has wildcards. One that
    has, in a workflow that uses ours as a module, is another script for each job."""

    @wraps(process)
    def first_of_each(self, job) -> None:
        # by object, since a processor of notebooks calls that of scripts for the same rules
        seen = vars(self).setdefault("seen_rules", set())
        if job.rule.name not in seen or "{" in str(getattr(job.rule, self.script_type)):
            seen.add(job.rule.name)
            process(self, job)

    return first_of_each
