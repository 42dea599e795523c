"""Do the two ways to pick the near class agree? (FITYMI appendix fig. 2)"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from nearnd.contracts import Drawing
from nearnd.report.summary import over_seeds
from nearnd.tables_figures._settings import CLOSEST, FAR, WORST, name, settings
from nearnd.tables_figures._style import COLOURS, legend, method_styles, panels, styled

MAKES = "figure"
READS = ["metrics", "closeness"]

LINES = {FAR: (COLOURS[0], "o"), CLOSEST: (COLOURS[5], "D"), WORST: (COLOURS[1], "s")}


def build(
    methods: Sequence[str] | None = None, far: str | None = None, near: str | None = None
) -> Drawing:
    """Left: mean AUROC of each method in the three settings. Right: a point per method and normal
    class, x its bottom-1, y its AUROC against the closest class, with Pearson's correlation r."""

    @styled
    def draw(data: dict[str, Any]) -> Figure:
        found = settings(data, methods, far, near)
        if CLOSEST not in found:
            raise ValueError(
                "this figure needs anomaly classes in the test set and a closeness table"
            )
        order = list(pd.unique(found[FAR]["method"]))
        figure, ((left, right),) = panels(1, 2, max(3.0, 1.6 + 0.27 * len(order)))

        for setting, (colour, marker) in LINES.items():
            means = over_seeds(found[setting], "method").set_index("method").loc[order]
            spread = 100 * means["sd"] if means["sd"].notna().any() else None
            left.errorbar(100 * means["mean"], range(len(order)), xerr=spread, color=colour,
                          marker=marker, linestyle="", capsize=2, label=setting)  # fmt: skip
        left.set_yticks(range(len(order)), [name(data, method) for method in order])
        left.set_ylim(len(order) - 0.5, -0.5)
        left.set_xlabel("AUROC, mean over classes (%)")
        handles, labels = left.get_legend_handles_labels()
        left.legend(handles, labels, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=1)

        key = ["dataset", "normal", "method"]
        pairs = over_seeds(found[WORST], *key).merge(over_seeds(found[CLOSEST], *key), on=key)
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
        legend(figure, right)
        return figure

    return draw


def _correlations(pairs: pd.DataFrame) -> str:
    means = pairs.groupby("method")[["mean_x", "mean_y"]].mean()
    lines = [
        f"r = {np.corrcoef(p['mean_x'], p['mean_y'])[0, 1]:.3f} over {len(p)} {words}"
        for p, words in ((pairs, "points"), (means, "method means"))
        if len(p) > 2 and p["mean_x"].std() > 0 and p["mean_y"].std() > 0  # else r says nothing
    ]
    return "\n".join(lines)
