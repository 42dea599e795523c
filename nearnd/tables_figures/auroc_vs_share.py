"""AUROC against the share of anomalies in the training images of the normal class."""

from collections.abc import Mapping

from nearnd.report.summary import one_vs_rest, over_seeds
from nearnd.tables_figures._settings import chosen, name
from nearnd.tables_figures._style import legend, method_styles, panels, styled

MAKES = "figure"
READS = ["metrics"]


@styled
def build(
    data,
    /,
    shares: Mapping[str, float] | None = None,  # {dataset: its share}; None: 0 of each
    methods: list[str] | None = None,
    test: str | None = None,  # test set; None: the first
):
    """A line for each method: x the share in percent of the datasets in `shares`, which are one set
    with more or fewer anomalies mixed in; y the AUROC, mean over classes and seeds, bars of one sd
    over seeds. ValueError unless each dataset has a share."""
    rows = one_vs_rest(chosen(data, methods))
    rows = rows[rows["test"] == (test or rows["test"].iloc[0])]
    shares = dict(shares) if shares else dict.fromkeys(rows["dataset"], 0.0)
    if missing := sorted(set(rows["dataset"]) ^ set(shares)):
        raise ValueError(
            f"shares and the experiment's datasets differ in {', '.join(missing)}; the drawing's"
            " entry has to give each dataset of the experiment its share"
        )
    found = over_seeds(rows, "dataset", "method")
    found = found.assign(x=100 * found["dataset"].map(shares)).sort_values("x")
    figure, (ax,) = panels(1, 1, 3.2, width=5.0)
    for method, style in method_styles(rows["method"]).items():
        line = found[found["method"] == method]
        spread = 100 * line["sd"] if line["sd"].notna().any() else None
        ax.errorbar(line["x"], 100 * line["mean"], yerr=spread, **style, capsize=2,
                    elinewidth=1, label=name(data, method))  # fmt: skip
    ax.set_xlabel("anomalies among the normal training images (%)")
    ax.set_ylabel("AUROC (%)")
    legend(figure, [ax])
    return figure
