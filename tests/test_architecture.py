"""Imports go one way only, and what builds the graph or a table loads no torch."""

import ast
import re
import subprocess
import sys
from functools import cache
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
    "values": set(),
    "plugins": {"contracts", "values"},
    "tasks": set(),
    "config": {"plugins", "tasks", "jobs"},
    "papers": {"plugins"},
    "catalog": {"plugins", "config", "papers"},
    "report": {"contracts", "files", "jobs", "plugins", "tasks", "config"},
    "stages": {"contracts", "files", "jobs", "networks", "report", "plugins", "tasks"},
    "plan": {"contracts", "files", "jobs", "networks", "report"}
    | {"values", "plugins", "tasks", "config", "catalog", "papers"},
    "detector": {"files", "report", "plan"},
    "commands": {"files", "report", "plan"},
    "cli": {"commands"},
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


# ---- no kind is named outside its own file ----

KINDS = {stage: set(plugins.available(stage)) for stage in plugins.STAGES}
# Metrics are columns of the tables that reports are about, drawings and these two everyday words.
WORDS = KINDS["metrics"] | KINDS["tables_figures"] | {"pixels", "gaussian"}


def texts(node: ast.AST | None) -> list[str]:
    """The string, or all strings of a collection, that stand in the source."""
    if isinstance(node, ast.Dict):
        return [text for key in node.keys for text in texts(key)]
    parts = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node]
    strings = [part.value for part in parts if isinstance(part, ast.Constant)]
    return [text for text in strings if isinstance(text, str)]


def named(tree: ast.AST, entries: bool = True) -> set[tuple[str, str]]:
    """(stage, kind) of what code says about kinds: a comparison with one, a call that is given a
    stage and one of its kinds, a collection or keys that are all kinds; {"kind": x} too
    if `entries`."""
    found = set()
    for node in ast.walk(tree):
        sure, likely = [], []  # strings that mean kinds, and those that do unless they are WORDS
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            likely = [text for side in sides for text in texts(side)]
            sure = likely if re.search(r"\bkinds?\b", ast.unparse(node)) else []
        elif isinstance(node, ast.Dict) and entries:
            pairs = zip(node.keys, node.values, strict=True)
            sure = [text for key, value in pairs if texts(key) == ["kind"] for text in texts(value)]
        if isinstance(node, ast.Dict | ast.Tuple | ast.List | ast.Set):
            keys = texts(node)
            many = len(keys) > 1 or isinstance(node, ast.Dict)
            if many and any(set(keys) <= kinds for kinds in KINDS.values()):
                likely = keys
        if isinstance(node, ast.Call):
            given = [text for argument in node.args for text in texts(argument)]
            stages = KINDS.keys() & set(given)
            found |= {(stage, kind) for stage in stages for kind in KINDS[stage] & set(given)}
        names = set(sure) | set(likely) - WORDS
        found |= {(stage, kind) for stage in KINDS for kind in KINDS[stage] & names}
    return found


@cache
def own(stage: str, kind: str) -> set[Path]:
    """A kind's own file, the private ones of its stage that it is made of, and kinds that are built
    on it."""
    folder, mine = PACKAGE / stage, PACKAGE / stage / f"{kind}.py"
    found, todo = {file for file in folder.glob("*.py") if mine in plugins.imports(file)}, [mine]
    while todo:
        file = todo.pop()
        if file not in found:
            found.add(file)
            near = [other for other in plugins.imports(file) if other.parent == folder]
            todo += [other for other in near if other.stem.startswith("_")]
    return found


def code_of(file: Path) -> ast.AST:
    """The Python of a file; of a file of rules, whose own lines cannot be parsed, the strings of
    each line that can stand for a kind, as comparisons."""
    try:
        return ast.parse(file.read_text())
    except SyntaxError:
        found = re.findall(
            r"""kind\W+[=!]=\s*(["']\w+["'])|in\s*\((["']\w+["'])""", file.read_text()
        )
        return ast.parse("\n".join(f"kind == {a or b}" for a, b in found))


def test_no_kind_is_named_outside_its_own_file():
    wrong = []
    rules = [ROOT / "Snakefile", *files("rules/*.smk")]
    for file in [*files("nearnd/**/*.py"), *files("workflow/scripts/*.py"), *rules]:
        here, tree = file.parent.name, code_of(file)
        found = named(tree)
        if here in KINDS:  # a kind may choose an entry of another stage, as a config does
            others = named(tree, entries=False)
            found = {pair for pair in found if pair[0] == here}
            found |= {pair for pair in others if pair[1] not in KINDS[here]}
        wrong += [
            f"{file.relative_to(ROOT)} names {kind}, a kind of {stage}; let it state what is asked"
            for stage, kind in found
            if file not in own(stage, kind)
        ]
    assert not wrong, "\n".join(wrong)


def test_a_planted_name_of_a_kind_is_found(tmp_path):
    sampled, plain = {("fakes", "sampled")}, set()
    for code, kinds in [
        ('o["kind"] == "sampled"', sampled),
        ('entry.kind != "sampled"', sampled),
        ('name in ("sampled", "exposure")', sampled | {("fakes", "exposure")}),
        ('{"kind": "sampled", "ratio": 1}', sampled),
        ('plugins.constant("fakes", "sampled", "NEEDS")', sampled),
        ('COST = {"sampled": 3}', sampled),
        ('KNOWN = {"sampled", "imported"}', sampled | {("fakes", "imported")}),
        ('o["kind"] == "pixels"', {("detectors", "pixels")}),
        ('"pixels" in files', plain),
        ('table["metric"] == "auroc"', plain),
        ('section == "fakes"', plain),
        ('["fakes", "detector"]', plain),
        ('"""sampled"""', plain),
    ]:
        assert named(ast.parse(code)) == kinds, code
    rule = 'rule fakes:\n    params:\n        a=lambda w: config["fakes"][w.a]["kind"] == "{}",\n'
    for kind, kinds in (("sampled", sampled), ("of no stage", plain)):
        (tmp_path / "a.smk").write_text(rule.format(kind))
        assert named(code_of(tmp_path / "a.smk")) == kinds
