"""The folder is the registry: `kind: knn` in `scores` is nearnd/scores/knn.py, its `build(**rest)`.

Everything but `build` reads the file without importing it, so that checking a whole config and
building the job graph loads no torch.
"""

import ast
import collections.abc
import difflib
import hashlib
import importlib
import inspect
import typing
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from nearnd import contracts, values

PACKAGE = Path(__file__).parent
LISTED = 50  # names that an error lists at the most

STAGES = (
    "datasets", "backbones", "generators", "samplers", "fakes", "detectors", "banks", "scores",
    "metrics", "fidelity", "closeness", "tables_figures",
)  # fmt: skip


def available(stage: str) -> list[str]:
    """The kinds of a stage: its files, without those that start with an underscore."""
    return list(_kinds(PACKAGE / stage))


@cache  # every job of a graph asks for it
def _kinds(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(file.stem for file in folder.glob("[!_]*.py")))


def unknown(what: str, name: Any, known, where: str) -> ValueError:
    """The error for a name that is not there: says what is, and what was perhaps meant. More
    than LISTED names are too many to be read."""
    known = sorted(map(str, known))
    close = difflib.get_close_matches(str(name), known, n=1 if len(known) <= LISTED else 5)
    there = f"there is {', '.join(known) or 'none'}."
    if len(known) > LISTED:
        where_from = ", which config/catalog has" if what.startswith("entry") else ""
        there = f"it is none of the {len(known)}{where_from}."
    hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    return ValueError(f"{where}: unknown {what} {name!r}; {there}{hint}")


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def _file(stage: str, kind: str) -> Path:
    if kind not in available(stage):
        raise unknown("kind", kind, available(stage), stage)
    return PACKAGE / stage / f"{kind}.py"


def build(stage: str, entry: dict[str, Any]) -> Any:
    """The object that an entry `{kind: ..., **arguments}` describes."""
    arguments = {key: value for key, value in entry.items() if key != "kind"}
    _file(stage, entry["kind"])
    return importlib.import_module(f"nearnd.{stage}.{entry['kind']}").build(**arguments)


def taken(function: Callable, given: dict[str, Any]) -> dict[str, Any]:
    """What the function names of what there is to give."""
    return {name: given[name] for name in inspect.signature(function).parameters if name in given}


def call(stage: str, entry: dict[str, Any], function: str) -> Any:
    """The result of another function of the plugin's module, or None if it has none.

    Datasets whose class names stand in the user's folder have `classes`; this imports the file.
    """
    names = set()
    for node in _tree(_file(stage, entry["kind"])).body:
        names |= {node.name} if isinstance(node, ast.FunctionDef) else _imported(node).keys()
    if function not in names:
        return None
    arguments = {key: value for key, value in entry.items() if key != "kind"}
    module = importlib.import_module(f"nearnd.{stage}.{entry['kind']}")
    return getattr(module, function)(**arguments)


def arguments(stage: str, kind: str) -> dict[str, bool]:
    """The keywords of the plugin's `build`, and whether each must be given."""
    return {name: default is None for name, (default, _) in _keywords(stage, kind).items()}


def defaults(stage: str, kind: str) -> dict[str, Any]:
    """The defaults of the plugin's `build`, of those keywords whose default is a literal."""
    found = {}
    for name, (default, _) in _keywords(stage, kind).items():
        try:
            found[name] = ast.literal_eval(default)
        except ValueError:  # computed, or none
            continue
    return found


@cache
def types(stage: str, kind: str) -> dict[str, Any]:
    """The annotations of the keywords of the plugin's `build`, in words of Python's own; `Any`
    for others and where there is none."""
    known, found = vars(collections.abc) | vars(typing) | vars(contracts), {}
    for name, (_, annotation) in _keywords(stage, kind).items():
        try:
            found[name] = eval(ast.unparse(annotation), known)  # noqa: S307 - of this package
        except (AttributeError, NameError):
            found[name] = Any
    return found


# A keyword's default and its annotation, None where there is none
Keyword = tuple[ast.expr | None, ast.expr | None]


def _keywords(stage: str, kind: str) -> dict[str, Keyword]:
    """What `build` takes: a function, or the name of one of the file's dataclasses, `build =
    Frozen`, whose fields they are, inherited ones too. What stands before the slash comes from the
    stage, not from an entry."""
    body = _tree(_file(stage, kind)).body
    named = {n.name: n for n in body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    for node in body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name):
            named[getattr(node.targets[0], "id", "")] = named.get(node.value.id)
    found = named.get("build")
    if found is None:
        raise ValueError(f"nearnd/{stage}/{kind}.py has no function build")
    if isinstance(found, ast.ClassDef):
        return _fields(_file(stage, kind), found.name)
    spec = found.args
    given = [None] * (len(spec.args) - len(spec.defaults)) + spec.defaults + spec.kw_defaults
    pairs = zip(spec.args + spec.kwonlyargs, given, strict=True)
    return {argument.arg: (default, argument.annotation) for argument, default in pairs}


def _fields(file: Path, name: str) -> dict[str, Keyword]:
    """The fields of a dataclass, after those of the class that it extends; none for a class that
    is not of this package."""
    found: dict[str, Keyword] = {}
    for node in _tree(file).body:
        if name in (there := _imported(node)):
            return _fields(there[name], name)
        if isinstance(node, ast.ClassDef) and node.name == name:
            for base in node.bases:
                found |= _fields(file, base.id) if isinstance(base, ast.Name) else {}
            fields = [field for field in node.body if isinstance(field, ast.AnnAssign)]
            found |= {field.target.id: (field.value, field.annotation) for field in fields}
    return found


def _imported(node: ast.stmt) -> dict[str, Path]:
    """The names that a statement imports out of a file of this package, and that file."""
    if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("nearnd."):
        return {}
    file = PACKAGE.joinpath(*node.module.split(".")[1:]).with_suffix(".py")
    return {alias.name: file for alias in node.names} if file.is_file() else {}


def listed(name: str) -> list[str]:
    """The lines of nearnd/datasets/names/<name>.txt: class names too many for a line of code."""
    file = PACKAGE / "datasets" / "names" / f"{name}.txt"
    return file.read_text(encoding="utf-8").splitlines()


def constant(stage: str, kind: str, name: str, default: Any = None) -> Any:
    """A literal that the plugin's file states at top level, such as NEEDS or CLASSES, or what it
    has `listed`. It is read once: not to be changed."""
    found = _literals(_file(stage, kind), name)
    return found[0] if found else default


@cache
def _literals(file: Path, name: str) -> list[Any]:
    """What a file sets a name to, at top level, in a list; an empty one if it does not."""
    return [
        _literal(node.value)
        for node in _tree(file).body
        if isinstance(node, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
    ]


def _literal(value: ast.expr) -> Any:
    match value:
        case ast.Call(func=ast.Name(id="listed"), args=[ast.Constant(value=name)]):
            return listed(name)
    return ast.literal_eval(value)


def check_entry(stage: str, name: str, entry: dict[str, Any], where: str = "") -> None:
    """Raises ValueError if the entry's kind or one of its arguments does not exist, or a value is
    none that the argument can have.

    where: in which entry it stands if it has no name of its own."""
    where = where or f"{stage}: {name}"
    if "kind" not in entry:
        raise ValueError(f"{where}: has no kind; there is {', '.join(available(stage))}")
    if entry["kind"] not in available(stage):
        raise unknown("kind", entry["kind"], available(stage), where)
    known = arguments(stage, entry["kind"])
    for key in entry:
        if key != "kind" and key not in known:
            raise unknown(f"argument of kind {entry['kind']}", key, known, where)
    missing = [key for key, required in known.items() if required and key not in entry]
    if missing:
        raise ValueError(f"{where}: kind {entry['kind']} also needs {', '.join(missing)}")
    ranges = constant(stage, entry["kind"], "RANGES", {})
    for key, annotation in types(stage, entry["kind"]).items():
        if key in entry:
            try:
                values.check(key, entry[key], annotation, ranges)
            except ValueError as error:
                raise ValueError(f"{where}: {error}") from None


# ---- digests ----

# functions of contracts.py that are for the planning alone
ESTIMATES = {"count", "snapshots", "features", "sees", "training_steps", "fetches", "work"}


def _results(tree: ast.Module) -> list[ast.stmt]:
    """What the results of a file depend on: all of it but what an estimate alone calls."""
    return [node for node in tree.body if getattr(node, "name", None) not in ESTIMATES]


@cache
def imports(file: Path) -> set[Path]:
    """The files of this package that a file imports, anywhere in what results depend on."""
    modules = set()
    for node in (node for part in _results(_tree(file)) for node in ast.walk(part)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    own = [module.split(".")[1:] for module in modules if module.startswith(f"{PACKAGE.name}.")]
    files = {PACKAGE.joinpath(*parts).with_suffix(".py") for parts in own}
    # plugins.py computes nothing; see `config.digest`
    return {file for file in files if file.is_file()} - {PACKAGE / "plugins.py"}


@cache
def _meaning(file: Path) -> str:
    """The file's code without comments, docstrings and layout, and the names that it has listed."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    tree.body = _results(tree)
    nodes = list(ast.walk(tree))
    calls = (node for node in nodes if isinstance(node, ast.Call))
    names = [_literal(call) for call in calls if getattr(call.func, "id", "") == "listed"]
    for node in nodes:
        body = getattr(node, "body", None)
        if not isinstance(body, list) or isinstance(node, ast.Lambda):
            continue
        first = body[0] if body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            body[:1] = [] if len(body) > 1 else [ast.Pass()]
    return "\n".join([ast.unparse(tree), *map(str, names)])


@cache
def digest(stage: str, kind: str) -> str:
    """A hash of the code of a plugin and of all it imports from this package.

    It stands in a job's params: an edit that changes behaviour runs the job again, a reworded
    comment does not.
    """
    todo, seen = [_file(stage, kind)], set()
    while todo:
        file = todo.pop()
        if file not in seen:
            seen.add(file)
            todo.extend(imports(file))
    text = "\n".join(f"# {file.relative_to(PACKAGE)}\n{_meaning(file)}" for file in sorted(seen))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
