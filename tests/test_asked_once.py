"""What snakemake is kept from asking again has the same answer as before."""

import inspect
import subprocess
import sys
from functools import partial

from nearnd.plan import asked_once


class Resource:
    def evaluate(self, wildcards, attempt=1):
        return attempt


def test_parameters_are_those_of_the_function_and_found_once():
    asked = []

    def parameters(function):
        asked.append(function)
        return inspect.signature(function).parameters

    remembered = asked_once.by_function(parameters)
    one, other = Resource(), Resource()
    functions = [lambda w: w, lambda w, attempt: w, one.evaluate, other.evaluate, Resource.evaluate,
                 partial(lambda w, x: x, x=1)]  # fmt: skip
    for _ in range(2):
        for function in functions:
            assert list(remembered(function)) == list(inspect.signature(function).parameters)
    assert len(asked) == 5  # the method of two objects is one


def test_this_snakemake_has_what_is_taken_over():
    """If not, planning is slower, and no more than that."""
    code = """
import snakemake.api
from snakemake import common, rules
before = common.get_function_params
from nearnd.plan import asked_once
asked_once.take_over()
assert rules.get_function_params is common.get_function_params is not before
def f(wildcards, attempt): pass
assert common.get_function_params(f) is rules.get_function_params(f)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
