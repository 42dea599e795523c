"""What snakemake is kept from asking again has the same answer as before."""

import inspect
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from toy import ROOT, SNAKEMAKE

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


def test_a_script_is_looked_for_once_for_each_rule():
    seen = []
    process = asked_once.by_rule(lambda self, job: seen.append(job.number))
    paths = {"a": "a.py", "b": Path("b.py"), "c": "{step}.py"}
    for kind, expected in {"script": [0, 2, 5, 6], "notebook": [0, 2, 5, 6]}.items():
        processor = SimpleNamespace(script_type=kind)  # each asks for itself
        for number, name in enumerate("aababcc"):
            rule = SimpleNamespace(name=name, script=paths[name], notebook=paths[name])
            process(processor, SimpleNamespace(rule=rule, number=number))
        assert seen == expected
        seen.clear()


FOREIGN = """
import snakemake.api
from nearnd.plan import asked_once
asked_once.take_over()
rule all:
    input: "a.txt", "b.txt"
rule mine:
    output: "{what}.txt"
    OF
"""


@pytest.mark.parametrize("of", ['script: "{what}.py"', 'notebook: "{what}.ipynb"',
                                'script: "lost.py"', 'notebook: "lost.ipynb"'])  # fmt: skip
def test_another_workflows_lost_script_still_stops_planning(tmp_path, of):
    """Whichever job it is of, and whether it is a notebook."""
    (tmp_path / "Snakefile").write_text(FOREIGN.replace("OF", of))
    for there in ("a.py", "a.ipynb"):
        (tmp_path / there).write_text("{}")
    command = [*SNAKEMAKE, "-n", "--cores", "1"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": ROOT}
    )
    assert done.returncode != 0
    assert re.search(r"not accessible|No such file", done.stdout + done.stderr)


def test_this_snakemake_has_what_is_taken_over():
    """If not, planning is slower by a fifth, and no more than that."""
    code = """
import snakemake.api
from snakemake import common, dag, rules
before = common.get_function_params, dag.ScriptProcessor.process_job
from nearnd.plan import asked_once
asked_once.take_over()
assert rules.get_function_params is common.get_function_params is not before[0]
assert dag.ScriptProcessor.process_job is not before[1]
def f(wildcards, attempt): pass
assert common.get_function_params(f) is rules.get_function_params(f)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
