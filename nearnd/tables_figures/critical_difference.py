"""Which methods differ by their mean ranks: the diagram of critical differences."""

from nearnd.report.ranks import ALPHA, critical_difference, friedman, mean_ranks
from nearnd.tables_figures._blocks import Over, blocks
from nearnd.tables_figures._settings import name, of
from nearnd.tables_figures._style import WIDTH, method_styles, panels, styled

MAKES = "figure"
READS = ["metrics", "closeness"]
DARK = "#404040"


@styled
def build(
    data,
    /,
    methods: list[str] | None = None,
    far: str | None = None,
    near: str | None = None,
    over: Over = "classes",
):
    """One panel for each setting (and dataset, over its classes): the methods on the axis of their
    mean rank, 1 is best. Bars join those whose ranks differ by less than the critical difference
    (CD, below) of Nemenyi's test of all pairs at 5 % (Demšar, 2006, JMLR 7); the title has
    Friedman's p.

    over: what is ranked in, the normal classes of each dataset or whole datasets.
    """
    # here, because it loads pyplot, seaborn and statsmodels
    from scikit_posthocs import critical_difference_diagram, posthoc_nemenyi_friedman

    found = list(blocks(data, methods, far, near, over))
    most = max(table.shape[1] for _, _, table in found)
    styles = method_styles(data["metrics"]["method"])
    figure, axes = panels(len(found), 1, 1.1 + 0.13 * most, width=WIDTH)
    for (dataset, setting, table), ax in zip(found, axes, strict=True):
        values, who = table.to_numpy(), list(table)
        last, ranks = len(who), dict(enumerate(mean_ranks(values)))
        drawn = critical_difference_diagram(
            ranks, posthoc_nemenyi_friedman(values), alpha=ALPHA, ax=ax, label_fmt_left="{label}",
            label_fmt_right="{label}", text_h_margin=0.03 * (last - 1),
            color_palette={i: styles[method]["color"] for i, method in enumerate(who)},
            elbow_props={"linewidth": 0.9}, marker_props={"s": 12},
            crossbar_props={"color": DARK, "linewidth": 2.5},
        )  # fmt: skip
        for text in drawn["labels"]:  # which are numbers yet: names need not differ
            i = int(text.get_text())
            text.set(text=f"{name(data, who[i])} ({ranks[i]:.1f})", fontsize=8)
        _ruler(ax, critical_difference(*values.shape), last)
        where = of(data, dataset, data["metrics"]["dataset"]) if dataset else ""
        counted = f"{len(table)} {over}, Friedman's p {_p(friedman(values))}"
        ax.set_title(f"{where}{setting}: {counted}", pad=5)
    return figure


def _ruler(ax, cd: float, last: int) -> None:
    """The axis of ranks 1 to `last`, and below the labels how long the critical difference is."""
    low = min(text.get_position()[1] for text in ax.texts) - 1.2
    ax.plot([1, 1 + cd], [low, low], color=DARK, linewidth=2.5, clip_on=False)
    ax.text(1 + cd, low, f"  CD = {cd:.2g}", va="center", fontsize=8)
    ax.set_xlim(1 - 0.04 * (last - 1), last + 0.04 * (last - 1))
    ax.set_ylim(low - 0.5, 0.3)
    ax.spines["top"].set_visible(True)
    ax.spines["top"].set_bounds(1, last)
    ax.set_xticks(range(1, last + 1))
    ax.grid(visible=False)
    ax.set_xlabel("mean rank (1 is best)")
    ax.xaxis.set_label_position("top")


def _p(p: float) -> str:
    return f"= {p:.2g}" if p >= 0.001 else "< 0.001"
