"""The choice by drawn defects beside the best method and beside always the same one.

    python benchmarks/selection_table.py

Reads docs/results/select.csv (benchmarks/selection.py), draws docs/images/select.png, and prints
the tables of docs/SELECT.md: AUROC in percent, regret in points behind the best of the methods.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

ROOT = Path(__file__).parents[1]
CLOSE = 1.0  # points behind the best that count as good as the best
CHOICE = "by drawn defects"
GROUPS = {  # of sets; made after the results were seen
    "bricks, solar cells": ("bricks", "elpv_mono", "elpv_poly"),
    "digits": ("digits",), "CIFAR-10": ("cifar10",),
    "blood cells, CT, weather": ("wbc", "head_ct", "weather"),
}  # fmt: skip


def results(file: Path = ROOT / "docs/results/select.csv") -> tuple[pd.DataFrame, pd.Series]:
    """AUROC in percent by (task, test) and method, the simplest first, and which one is chosen."""
    table = pd.read_csv(file)
    methods = list(dict.fromkeys(table["method"]))
    tests = [column for column in table if column.startswith("test ")]
    long = table.melt(["task", "method", "chosen"], tests, var_name="test").dropna()
    wide = long.pivot(index=["task", "test"], columns="method", values="value")[methods]
    return 100 * wide, long[long["chosen"]].set_index(["task", "test"])["method"].loc[wide.index]


def regrets(found: pd.DataFrame, chosen: pd.Series) -> pd.DataFrame:
    """Points behind the best method of each test, of the choice and of always the same one."""
    best = found.max(axis=1)
    picked = [found.loc[test, method] for test, method in chosen.items()]
    all_of = {CHOICE: best - picked} | {f"always {m}": best - found[m] for m in found}
    return pd.DataFrame(all_of)


def summary(regret: pd.DataFrame) -> pd.DataFrame:
    """A row for each way to choose."""
    return pd.DataFrame({
        "within one point of the best, % of tests": 100 * (regret <= CLOSE + 1e-9).mean(),
        "mean regret": regret.mean(), "median": regret.median(), "largest": regret.max(),
    }).sort_values("mean regret")  # fmt: skip


def by_group(regret: pd.DataFrame) -> pd.DataFrame:
    """The mean regret in each group of sets."""
    sets = regret.index.get_level_values("task").str.split("-").str[0]
    rows = {
        f"{name} ({int(sets.isin(of).sum())} tests)": regret[sets.isin(of)].mean()
        for name, of in GROUPS.items()
    }
    return pd.DataFrame(rows)


def draw(regret: pd.DataFrame) -> Figure:
    """The regrets of each way, a dot for each test, with the mean."""
    ways, groups = list(summary(regret).index), list(GROUPS)
    colours = ["#D55E00", "#0072B2", "#8C8C8C", "#009E73"]
    sets = regret.index.get_level_values("task").str.split("-").str[0]
    figure = Figure(figsize=(6.9, 3.6), layout="constrained")
    ax, random = figure.subplots(), np.random.default_rng(0)
    for row, way in enumerate(ways):
        shift = random.uniform(-0.28, 0.28, len(regret))
        for group, colour in zip(groups, colours, strict=True):
            at = sets.isin(GROUPS[group])
            label = group if row == 0 else None
            ax.scatter(regret[way][at], row + shift[at], s=12, color=colour, label=label, lw=0)
        ax.plot([regret[way].mean()] * 2, [row - 0.4, row + 0.4], color="black", lw=2,
                label="mean" if row == 0 else None)  # fmt: skip
    ax.set_yticks(range(len(ways)), ways)
    ax.invert_yaxis()
    ax.set_xlabel("AUROC, points behind the best method of the test")
    ax.spines[["top", "right"]].set_visible(False)
    figure.legend(frameon=False, fontsize=8, loc="outside upper center", ncols=5)
    return figure


def main() -> None:
    found, chosen = results()
    regret = regrets(found, chosen)
    for table in (summary(regret), by_group(regret)):
        print(table.to_markdown(floatfmt=".1f"), "\n")
    print(found.assign(chosen=chosen).to_markdown(floatfmt=".1f"))
    draw(regret).savefig(ROOT / "docs/images/select.png", dpi=150)


if __name__ == "__main__":
    main()
