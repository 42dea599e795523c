"""A rule's conda environment has all that its script can reach, in the tested versions."""

import ast
import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name as name_of

from nearnd import plugins

ROOT = Path(__file__).parents[1]
RULES = "".join(file.read_text() for file in sorted(ROOT.glob("rules/*.smk")))
RULE = re.compile(r"^rule (\w+):\n(.*?)(?=^rule |^def |\Z)", re.M | re.S)


def environments() -> dict[str, str | None]:
    """Rule -> its environment's file."""
    found = {}
    for name, body in RULE.findall(RULES):
        env = re.search(r'conda:\s+"\.\./envs/(\S+)\.yaml"', body)
        found[name] = env and env[1]
    return found


def pins(env: str) -> dict[str, str]:
    packages = yaml.safe_load((ROOT / f"envs/{env}.yaml").read_text())["dependencies"][-1]["pip"]
    return dict(package.split("==") for package in packages)


def constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def kinds(stage: str) -> list[Path]:
    return sorted((plugins.PACKAGE / stage).glob("[!_]*.py"))


@cache
def reached(file: Path) -> frozenset[Path]:
    """The files of the package that a file can load: what it imports, at any depth of nesting and
    of modules, and where it builds a plugin, every kind of that stage."""
    found, todo = set(), [file]
    while todo:
        here = todo.pop()
        if here in found:
            continue
        found.add(here)
        todo.extend(set(plugins.imports(here)) - for_export(here))
        text = here.read_text()
        for stage in re.findall(r'plugins\.build\(\s*"(\w+)"', text):
            todo.extend(kinds(stage))
        for stage, function in re.findall(r'plugins\.call\(\s*"(\w+)", [^"]*"(\w+)"\)', text):
            todo.extend(kind for kind in kinds(stage) if f"\ndef {function}(" in kind.read_text())
    return frozenset(found)


def exported(node: ast.stmt) -> bool:
    """Whether it is the function that makes a part of an exported graph."""
    return isinstance(node, ast.FunctionDef) and node.name == "graph"


def for_export(file: Path) -> set[Path]:
    """Files of the package that a file imports for the graph of an export, which no rule makes."""
    named = set()
    for node in filter(exported, ast.parse(file.read_text()).body):
        named |= {n.module for n in ast.walk(node) if isinstance(n, ast.ImportFrom)}
    paths = {ROOT / f"{module.replace('.', '/')}.py" for module in named}
    return {path for path in paths if path.exists()}


distributions = cache(packages_distributions)


def packages(file: Path) -> set[str]:
    """Distributions outside the standard library that a file imports, but for an export."""
    modules, body = set(), ast.parse(file.read_text()).body
    for node in (node for part in body if not exported(part) for node in ast.walk(part)):
        if isinstance(node, ast.Import):
            modules |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add(node.module.split(".")[0])
    modules -= {"nearnd", "_repository", *sys.stdlib_module_names}
    return {name_of(distributions()[module][0]) for module in modules}


@pytest.mark.parametrize("rule", environments())
def test_an_environment_has_every_package_that_its_rule_can_import(rule):
    env = environments()[rule]
    assert env, f"rule {rule} has no conda environment"
    there = {name_of(name) for name in pins(env)}
    for file in sorted(reached(ROOT / f"workflow/scripts/{rule}.py")):
        lacking = packages(file) - there
        assert not lacking, f"{file.relative_to(ROOT)}, rule {rule}: {env}.yaml lacks {lacking}"


def test_a_script_reaches_every_kind_of_its_stage_and_what_these_import():
    files = {f.relative_to(ROOT).as_posix() for f in reached(ROOT / "workflow/scripts/score.py")}
    assert {"nearnd/scores/knn.py", "nearnd/jobs/neighbours.py"} <= files
    files = {f.relative_to(ROOT).as_posix() for f in reached(ROOT / "workflow/scripts/fakes.py")}
    assert {"nearnd/samplers/heun.py", "nearnd/networks/unet.py"} <= files


@pytest.mark.parametrize("env", sorted(file.stem for file in ROOT.glob("envs/*.yaml")))
def test_environments_have_the_tested_versions(env):
    assert env in environments().values(), f"no rule uses envs/{env}.yaml"
    for name, version in pins(env).items():
        assert constraints()[name] == version


def test_the_tested_versions_are_in_the_ranges_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [text for group in project["optional-dependencies"].values() for text in group]
    versions = {name_of(name): version for name, version in constraints().items()}
    for text in project["dependencies"] + extras:
        wanted = Requirement(text)
        assert versions[name_of(wanted.name)] in wanted.specifier, text


def test_torch_comes_from_its_wheels_which_carry_cuda():
    for file in ROOT.glob("envs/*.yaml"):
        conda = [d for d in yaml.safe_load(file.read_text())["dependencies"] if isinstance(d, str)]
        assert not any("torch" in package or "cuda" in package for package in conda), file
