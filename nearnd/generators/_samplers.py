"""The registry of samplers: `kind: heun` is `_sampler_heun.py`, its function `sample`.

Adding a sampler is adding a file. It has

    sample(sde, score, noise, *, steps=..., **settings) -> images (N, C, H, W) in the SDE's range

with  score(x, t)  (N, C, H, W), t (1,) if all images are at the same time, else (N,), in float32
      noise()      the next standard-normal draw (N, C, H, W); image i's depends on its seed alone

and may state, as literals: CHOICES {setting: [values]}, and RULES, a list of (setting, its value or
None for any, other setting, [allowed values of the other]) in which "kind", "sde" and "continuous"
are settings too. Everything here but `load` reads the file without importing it, so that a config
is checked without torch.
"""

from __future__ import annotations

import ast
import difflib
import importlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

LOADS = "_sampler_*.py"  # what `load` imports; `plugins.digest` reads this
FOLDER = Path(__file__).parent


def kinds() -> list[str]:
    """The samplers there are."""
    return sorted(file.stem.removeprefix("_sampler_") for file in FOLDER.glob(LOADS))


def load(kind: str) -> Callable:
    """The function `sample` of a kind."""
    return importlib.import_module(f"nearnd.generators._sampler_{kind}").sample


def check(entry: dict[str, Any], sde: str, continuous: bool = True) -> None:
    """ValueError, in words, if `{kind: ..., **settings}` is no sampler for this SDE."""
    if not isinstance(entry, dict) or "kind" not in entry:
        raise ValueError(
            f"sampler is {entry!r}; it may be {{kind: ..., steps: ...}} with a kind out of"
            f" {', '.join(kinds())}"
        )
    kind = entry["kind"]
    if kind not in kinds():
        raise ValueError(f"sampler: kind is {kind!r}; it may be one of {', '.join(kinds())}")
    where = f"sampler: kind {kind}"
    defaults, choices, rules = _facts(kind)
    given = {name: value for name, value in entry.items() if name != "kind"}
    for name, value in given.items():
        if name not in defaults:
            close = difflib.get_close_matches(name, defaults, n=1)
            raise ValueError(
                f"{where} has no setting {name!r}; it has {', '.join(sorted(defaults))}."
                + (f" Did you mean {close[0]!r}?" if close else "")
            )
        if name in choices:
            if value not in choices[name]:
                known = ", ".join(choices[name])
                raise ValueError(f"{where}: {name} is {value!r}; it may be one of {known}")
        elif not _fits(name, value, defaults[name]):
            raise ValueError(f"{where}: {name} is {value!r}; it may be {_range(name, defaults)}")
    values = defaults | given | {"kind": kind, "sde": sde, "continuous": continuous}
    for name, value, other, allowed in rules:
        concerned = name in given if value is None else values[name] == value
        if concerned and values[other] not in allowed:
            what = name if value is None else f"{name}: {value}"
            raise ValueError(
                f"{where}: {what} does not go with {other}: {_yaml(values[other])}; it goes with"
                f" {other}: {' or '.join(map(_yaml, allowed))}"
            )


@cache
def _facts(kind: str) -> tuple[dict[str, Any], dict[str, list], list[tuple]]:
    """The settings of a kind with their defaults, its CHOICES and its RULES."""
    defaults, stated = {}, {"CHOICES": {}, "RULES": []}
    file = FOLDER / f"_sampler_{kind}.py"
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == "sample":
            names = [a.arg for a in node.args.kwonlyargs]
            values = [ast.literal_eval(v) for v in node.args.kw_defaults]
            defaults = dict(zip(names, values, strict=True))
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in stated:
            stated[node.targets[0].id] = ast.literal_eval(node.value)
    return defaults, stated["CHOICES"], stated["RULES"]


def _fits(name: str, value: Any, default: Any) -> bool:
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, int):
        return isinstance(value, int) and value >= 1
    return isinstance(value, int | float) and 0 <= value < float("inf")


def _range(name: str, defaults: dict[str, Any]) -> str:
    default = defaults[name]
    if isinstance(default, bool):
        return "true or false"
    return "a whole number from 1" if isinstance(default, int) else "a number from 0"


def _yaml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
