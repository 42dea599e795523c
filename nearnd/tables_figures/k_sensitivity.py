"""How much the AUROC depends on the number of neighbours (FITYMI table 4, left)."""

from nearnd.contracts import configured
from nearnd.tables_figures._sensitivity import sensitivity

MAKES = "table"
READS = ["metrics", "closeness", "paired"]


@configured
def build(
    data,
    /,
    methods: list[str] | None = None,  # the variants, in column order; None: all
    far: str | None = None,
    near: str | None = None,
):
    """One column per method that differs from the others in k alone."""
    return sensitivity(data, methods, far, near)
