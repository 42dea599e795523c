"""What kinds state about themselves for tables and figures (contracts.py): names, units, signs."""

from collections.abc import Iterable
from typing import Any

from nearnd import plugins

# Which anomalies an AUROC is against
FAR = "far (one-vs-rest)"
WORST = "near (bottom-1)"
CLOSEST = "near (closest class)"


def label(stage: str, kind: str) -> str:
    """What a kind is called."""
    return plugins.constant(stage, kind, "LABEL", kind)


def metric(name: str) -> str:
    """What a column of a metric is called; variants keep their names."""
    return label("metrics", name) if name in plugins.available("metrics") else name


def word(measure: str) -> str:
    """What a fidelity measure, or a fact of a generator, is called."""
    return _facts().get(measure) or label("fidelity", measure)


def stated(measure: str, what: str) -> Any:
    """UNIT or DISTANCE of a fidelity measure; None if it says nothing, as of a generator's fact."""
    return None if measure in _facts() else plugins.constant("fidelity", measure, what)


def measures(columns: Iterable[str]) -> list[str]:
    """Those of a table's columns that are fidelity measures or facts of generators, in their order
    there."""
    known = {*plugins.available("fidelity"), *_facts()}
    return [column for column in columns if column in known]


def _facts() -> dict[str, str]:
    """Facts that generators of any kind state -> their words."""
    found = {}
    for kind in plugins.available("generators"):
        found |= plugins.constant("generators", kind, "FACTS", {})
    return found


def distances(columns: Iterable[str]) -> list[str]:
    """Those of them that are distances. ValueError if there is none."""
    columns = list(columns)
    found = [measure for measure in measures(columns) if stated(measure, "DISTANCE")]
    if not found:
        raise ValueError(
            f"no column is a distance, of {columns}; one must be among the measures of the"
            " generator's monitor (monitors)"
        )
    return found
