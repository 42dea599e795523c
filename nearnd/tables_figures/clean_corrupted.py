"""How much corrupted test images cost each method (UNODE figure 1)."""

import numpy as np
import pandas as pd

from nearnd.report.summary import one_vs_rest, over_seeds
from nearnd.tables_figures._settings import name
from nearnd.tables_figures._slices import rows_of
from nearnd.tables_figures._style import FAR, NEAR, beside, legend, styled

MAKES = "figure"
READS = ["metrics", "slices"]
LOOK = {"clean": {"color": FAR, "fmt": "o"}, "corrupted": {"color": NEAR, "fmt": "s"}}


@styled
def build(data, /, methods: list[str] | None = None):
    """One panel for each dataset that has a corrupted copy among its test sets, a line for each
    method in the order of the experiment: mean AUROC over classes and seeds on the clean test
    images and on the corrupted ones, there over corruptions and severities too, with one sd over
    seeds."""
    slices = rows_of(data, methods, None)
    clean = one_vs_rest(data["metrics"])
    clean = clean[clean["dataset"].isin(slices["dataset"]) & ~clean["test"].isin(slices["test"])]
    first = clean.groupby("dataset", sort=False)["test"].transform("first")
    clean = clean[(clean["test"] == first) & clean["method"].isin(slices["method"])]
    columns = ["dataset", "normal", "method", "seed", "value"]
    rows = pd.concat([clean[columns].assign(images="clean"),
                      slices[columns].assign(images="corrupted")])  # fmt: skip
    order = [m for m in dict.fromkeys(data["metrics"]["method"]) if m in set(slices["method"])]
    means = over_seeds(rows, "dataset", "method", "images")
    height = 0.9 + 0.24 * len(order)
    figure, axes = beside(data, means["dataset"], height, least=5.0, sharey=True)
    places = np.arange(len(order))
    for dataset, ax in axes.items():
        own = means[means["dataset"] == dataset]
        ends = own.pivot(index="method", columns="images", values="mean").reindex(order)
        ax.hlines(places, 100 * ends["corrupted"], 100 * ends["clean"], color="#C8C8C8",
                  linewidth=2, zorder=1)  # fmt: skip
        for images, look in LOOK.items():
            rows = own[own["images"] == images].set_index("method").reindex(order)
            ax.errorbar(100 * rows["mean"], places, xerr=100 * rows["sd"].fillna(0), **look,
                        elinewidth=1, label=images)  # fmt: skip
        ax.set_yticks(places, [name(data, method) for method in order])
        ax.set_xlabel("AUROC (%)")
        ax.grid(axis="y", visible=False)
    figure.axes[0].set_ylim(len(order) - 0.5, -0.5)  # the first method on top
    legend(figure, figure.axes)
    return figure
