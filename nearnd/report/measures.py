"""What the fidelity measures state about themselves (contracts.py), for tables and figures."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nearnd import plugins


def measures(columns: Iterable[str]) -> list[str]:
    """Those of a table's columns that are fidelity measures, in their order there."""
    known = plugins.available("fidelity")
    return [column for column in columns if column in known]


def stated(measure: str, what: str, default: Any = None) -> Any:
    """LABEL, UNIT or DISTANCE of a measure."""
    return plugins.constant("fidelity", measure, what, default)


def word(measure: str) -> str:
    """Its name in tables and figures."""
    return stated(measure, "LABEL", measure)
