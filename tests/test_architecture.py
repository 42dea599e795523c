"""Imports go one way only, and what builds the graph or a table loads no torch."""

import ast
import re
import subprocess
import sys
from pathlib import Path

from nearnd import plugins

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "nearnd"
# What the files of each part may import, beside the part itself: downwards only.
BELOW = {
    "contracts": set(),
    "files": {"contracts", "tasks"},
    "jobs": {"contracts", "files", "tasks"},
    "networks": {"contracts", "files", "jobs"},
    "plugins": set(),
    "tasks": set(),
    "config": {"plugins", "tasks", "jobs"},
    "catalog": {"plugins", "config"},
    "report": {"contracts", "files", "jobs", "plugins", "tasks", "config"},
    "stages": {"contracts", "files", "jobs", "networks", "report", "plugins"},
    "plan": {"contracts", "files", "jobs", "networks", "report"}
    | {"plugins", "tasks", "config", "catalog"},
    "cli": {"files", "report", "plan", "config", "catalog"},
}


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


def part_of(name: str) -> str:
    """The part of BELOW that a module is in."""
    part = [*name.split("."), ""][1]
    return "stages" if part in plugins.STAGES else part


def test_imports_go_downwards_only():
    for file in files("nearnd/**/*.py"):
        module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        if not part_of(module) or file.stem == "__init__":
            continue
        for name in imported(file):
            own = name.split(".")[1:2] == module.split(".")[1:2]  # one stage knows no other
            good = own or part_of(name) in BELOW[part_of(module)] | {""}
            assert good, f"{module} imports {name}"


def test_scripts_are_thin_and_know_no_stage():
    stages = [f"nearnd.{stage}" for stage in [*plugins.STAGES, "networks"]]
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


def test_rules_import_the_plan_alone():
    for file in [ROOT / "Snakefile", *files("rules/*.smk")]:
        for line in re.findall(r"^(?:from|import) nearnd.*$", file.read_text(), re.M):
            light = r"from nearnd(\.plan)? import|from nearnd\.plan\."
            assert re.match(light, line), f"{file.name}: {line}"


LIGHT = (
    [
        f"nearnd.{stage}.{kind}"
        for stage in [
            "datasets",
            "banks",
            "scores",
            "metrics",
            "fidelity",
            "closeness",
            "fakes",
            "samplers",
            "tables_figures",
        ]
        for kind in plugins.available(stage)
    ]
    + [
        ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for wing in ("files", "plan", "report")
        for file in files(f"nearnd/{wing}/[!_]*.py")
    ]
    + [f"nearnd.{name}" for name in ("config", "plugins", "tasks", "jobs.job", "jobs.monitor")]
)


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
