"""How much the AUROC depends on the number of neighbours (FITYMI table 4, left)."""

from nearnd.contracts import Drawing
from nearnd.tables_figures._sensitivity import sensitivity

MAKES = "table"
READS = ["metrics", "closeness"]


def build(
    methods: list[str] | None = None,  # the variants, in column order; None: all
    far: str | None = None,
    near: str | None = None,
) -> Drawing:
    """One column per method that differs from the others in k alone."""

    return lambda data: sensitivity(data, methods, far, near)
