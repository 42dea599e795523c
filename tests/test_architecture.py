"""Imports go one way only, and what builds the graph or a table loads no torch."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nearnd import plugins

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "nearnd"
FOUNDATION = {"nearnd.contracts", "nearnd.arrays", "nearnd.decode", "nearnd.device",
              "nearnd.fetch", "nearnd.pictures", "nearnd.resume", "nearnd.seeds",
              "nearnd.summary"}  # fmt: skip


def imported(file: Path) -> set[str]:
    """Modules of this package that a file imports, at any depth of nesting."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                path = ROOT.joinpath(*name.split("."))
                module = path.is_dir() or path.with_suffix(".py").is_file()
                found.add(name if module else node.module)
    return {name for name in found if name == "nearnd" or name.startswith("nearnd.")}


def below(name: str, *packages: str) -> bool:
    return any(name == p or name.startswith(p + ".") for p in packages)


def files(pattern: str) -> list[Path]:
    found = sorted(ROOT.glob(pattern))
    assert found
    return found


@pytest.mark.parametrize("stage", plugins.STAGES)
def test_a_stage_imports_the_foundation_and_itself(stage):
    for file in files(f"nearnd/{stage}/*.py"):
        for name in imported(file):
            own = below(name, f"nearnd.{stage}")
            good = name in FOUNDATION or below(name, "nearnd.networks", "nearnd.training")
            assert good or own, f"{file.relative_to(ROOT)} imports {name}"


def test_networks_and_training_know_no_stage():
    for file in [*files("nearnd/networks/*.py"), PACKAGE / "training.py"]:
        for name in imported(file):
            assert name in FOUNDATION or below(name, "nearnd.networks"), f"{file} imports {name}"


def test_top_level_modules_know_no_stage():
    stages = [f"nearnd.{stage}" for stage in plugins.STAGES]
    for file in files("nearnd/*.py"):
        for name in imported(file):
            assert not below(name, *stages), f"{file.name} imports {name}"


def test_scripts_are_thin_and_know_no_stage():
    stages = [f"nearnd.{stage}" for stage in [*plugins.STAGES, "networks", "training"]]
    for file in files("workflow/scripts/[!_]*.py"):
        for name in imported(file):
            assert not below(name, *stages), f"{file.name} imports {name}"
        code = [line for line in file.read_text().splitlines() if line.strip()]
        assert len(code) <= 32, f"{file.name} has {len(code)} lines: move work into the package"


def test_every_rule_has_its_script_and_log():
    text = "".join(file.read_text() for file in files("rules/*.smk"))
    rules = set(re.findall(r"^rule (\w+):", text, re.M))
    scripts = {file.stem for file in files("workflow/scripts/[!_]*.py")}
    assert rules == scripts
    assert text.count("    log:") == len(rules)


def test_rules_import_only_what_is_light():
    for file in [ROOT / "Snakefile", *files("rules/*.smk")]:
        lines = re.findall(r"^(?:from|import) nearnd.*$", file.read_text(), re.M)
        good = {"from nearnd import config as settings"}
        good |= {"from nearnd import counts, gated, plugins"}
        assert set(lines) <= good, file


LIGHT = [
    f"nearnd.{stage}.{kind}"
    for stage in ["datasets", "banks", "scores", "metrics", "fidelity", "closeness", "fakes",
                  "tables_figures"]
    for kind in plugins.available(stage)
] + [f"nearnd.{name}" for name in
     ["config", "gated", "plugins", "job",
      "tables", "collect", "evaluate", "monitor", "summary", "fetch"]]  # fmt: skip


def test_light_modules_load_no_torch():
    code = (
        "import importlib, sys\n"
        f"for name in {LIGHT!r}:\n"
        "    importlib.import_module(name)\n"
        "    heavy = {'torch', 'timm', 'sklearn', 'matplotlib.pyplot'} & set(sys.modules)\n"
        "    assert not heavy, f'{name} loads {heavy}'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
