"""How much the AUROC depends on the number of neighbours (FITYMI table 4, left)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from nearnd.contracts import Drawing
from nearnd.tables_figures._sensitivity import sensitivity

MAKES = "table"
READS = ["metrics", "closeness"]


def build(
    methods: Sequence[str] | None = None,  # the variants, in column order; None: all
    far: str | None = None,
    near: str | None = None,
) -> Drawing:
    """One column per method that differs from the others in k alone."""

    def draw(data: dict[str, Any]) -> pd.DataFrame:
        return sensitivity(data, methods, far, near)

    return draw
