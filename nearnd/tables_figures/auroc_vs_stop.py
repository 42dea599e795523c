"""AUROC against the point at which the generator was stopped (FITYMI appendix fig. 1)."""

from nearnd.report.words import distances, word
from nearnd.tables_figures._measures import stops
from nearnd.tables_figures._over_x import auroc_over
from nearnd.tables_figures._style import styled

MAKES = "figure"
READS = ["metrics", "closeness", "fakes"]


@styled
def build(
    data,
    /,
    methods: list[str] | None = None,  # variants that differ in the stop; None: all with fakes
    reference: str | None = None,  # a method without fakes, drawn as horizontal lines
    far: str | None = None,
    near: str | None = None,
    measure: str | None = None,  # the distance; None: the first of the table
):
    """One panel per dataset: x the distance between fakes and normal images at the stop (training
    goes on to the left), y the AUROC: mean over classes and seeds, bars of one sd over seeds."""
    distance = measure or distances(data["fakes"])[0]
    at = stops(data["fakes"], distance)
    at = at if methods is None else at[at["method"].isin(methods)]
    what = f"{word(distance)} of the fakes\n(← trained longer · stopped earlier →)"
    points = at.rename(columns={distance: "x"})
    return auroc_over(data, points, what, 5, reference, far, near)
