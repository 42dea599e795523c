"""Do the two ways to pick the near class agree? (FITYMI appendix fig. 2)"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from nearnd.report.summary import over_seeds
from nearnd.tables_figures._settings import CLOSEST, WORST, name, settings, stated
from nearnd.tables_figures._style import LINES, legend, method_styles, panels, styled

MAKES = "figure"
READS = ["metrics", "closeness"]


@styled
def build(
    data,
    /,
    methods: list[str] | None = None,
    far: str | None = None,
    near: str | None = None,
    closest: Mapping[str, str] | None = None,  # {normal: its near class}
):
    """Left: mean AUROC of each method in the three settings. Right: a point per method and normal
    class, x its bottom-1, y its AUROC against the closest class, with Pearson's correlation r."""
    found = settings(stated(data, closest), methods, far, near)
    if not (found["setting"] == CLOSEST).any():
        raise ValueError("this figure needs anomaly classes in the test set and a closeness table")
    order = list(found["method"].unique())
    figure, (left, right) = panels(2, 2, max(3.0, 1.6 + 0.27 * len(order)))

    for setting, style in LINES.items():
        own = found[found["setting"] == setting]
        means = over_seeds(own, "method").set_index("method").loc[order]
        spread = 100 * means["sd"] if means["sd"].notna().any() else None
        left.errorbar(100 * means["mean"], range(len(order)), xerr=spread, **style,
                      linestyle="", capsize=2, label=setting)  # fmt: skip
    left.set_yticks(range(len(order)), [name(data, method) for method in order])
    left.set_ylim(len(order) - 0.5, -0.5)
    left.set_xlabel("AUROC, mean over classes (%)")
    left.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0))

    key = ["dataset", "normal", "method"]
    worst, close = (found[found["setting"] == setting] for setting in (WORST, CLOSEST))
    pairs = over_seeds(worst, *key).merge(over_seeds(close, *key), on=key)
    x, y = 100 * pairs["mean_x"], 100 * pairs["mean_y"]
    styles = method_styles(data["metrics"]["method"])
    for method in order:
        mine = pairs["method"] == method
        style = styles[method] | {"linestyle": ""}
        right.plot(x[mine], y[mine], label=name(data, method), alpha=0.8, **style)
    ends = [min(x.min(), y.min()), max(x.max(), y.max())]
    right.plot(ends, ends, color="#8C8C8C", linewidth=0.9, zorder=0)
    right.set_xlabel("bottom-1 AUROC (%)")
    right.set_ylabel("closest-class AUROC (%)")
    right.set_title(_correlations(pairs))
    legend(figure, [right])
    return figure


def _correlations(pairs: pd.DataFrame) -> str:
    means = pairs.groupby("method")[["mean_x", "mean_y"]].mean()
    lines = [
        f"r = {np.corrcoef(p['mean_x'], p['mean_y'])[0, 1]:.3f} over {len(p)} {words}"
        for p, words in ((pairs, "points"), (means, "method means"))
        if len(p) > 2 and p["mean_x"].std() > 0 and p["mean_y"].std() > 0  # else r says nothing
    ]
    return "\n".join(lines)
