"""All methods of an experiment on one axis: where each is on far and on near anomalies."""

from nearnd.report.summary import over_seeds
from nearnd.tables_figures import _settings as s
from nearnd.tables_figures._style import FAKE, FAR, NEAR, beside, legend, styled

MAKES = "figure"
READS = ["metrics", "closeness"]
LOOK = {
    s.FAR: {"fmt": "o", "color": FAR},
    s.LEFT_OUT: {"fmt": "o", "color": FAR},
    s.WORST: {"fmt": "s", "color": NEAR},
    s.CLOSEST: {"fmt": "D", "color": FAKE},
}
LOOK |= {plain: LOOK[setting] for setting, plain in s.PLAIN.items()}


@styled
def build(
    data, /, methods: list[str] | None = None, far: str | None = None, near: str | None = None
):
    """One panel per dataset, one line per method, in the order of the experiment: mean AUROC over
    classes and seeds, with one sd over seeds. Near is left out where it is far again."""
    found = s.told_apart(s.settings(data, methods, far, near), data["metrics"])
    found = over_seeds(found, "dataset", "method", "setting")
    names = list(found["method"].unique())
    height = 0.9 + 0.24 * len(names)
    figure, axes = beside(data, found["dataset"], height, least=5.0, sharey=True)
    for dataset, ax in axes.items():
        for setting, table in found[found["dataset"] == dataset].groupby("setting", sort=False):
            own = table.set_index("method").reindex(names)
            ax.errorbar(100 * own["mean"], range(len(names)), xerr=100 * own["sd"].fillna(0),
                        **LOOK[setting], label=setting, elinewidth=1, capsize=0)  # fmt: skip
        ax.set_yticks(range(len(names)), [s.name(data, method) for method in names])
        ax.set_xlabel("AUROC (%)")
    figure.axes[0].set_ylim(len(names) - 0.5, -0.5)  # the first method on top
    legend(figure, figure.axes)
    return figure
